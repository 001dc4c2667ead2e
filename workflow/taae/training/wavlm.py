"""The perceptual term: features of WavLM (arXiv 2110.13900), a network trained on speech alone.

With h_l the hidden states of layer l, x a segment and y its reconstruction:

perceptual  mean over l of  mean |h_l(x) - h_l(y)| / mean |h_l(x)|

The paper adds an L1 distance of WavLM-Large's features in the second part of its training. Here
each layer is divided by its own magnitude, so that all layers count alike.
WavLM takes 16 kHz, as the codec does; it is frozen, and gradients pass through it to y alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taae.training.config import Perceptual
from taae.training.losses import relative
from taae.utils.errors import NotInstalled, TaaeError
from taae.utils.huggingface import load_network

FEATURE_FLOOR = 1e-3  # mean magnitude of the target's features, at least
NORM_EPS = 1e-7  # of WavLM's own preparation of waveforms


class WavLMLoss(nn.Module):
    """The perceptual term, by a frozen WavLM.

    Raises:
        TaaeError: transformers or the weights are not there, or have no such layer.
    """

    def __init__(self, settings: Perceptual) -> None:
        super().__init__()
        try:
            network = load_network("WavLMModel", "wavlm", settings.weights)
        except NotInstalled as error:
            raise TaaeError(f"training.perceptual: {error}") from error
        self.network: nn.Module = network.eval().requires_grad_(False)
        depth = network.config.num_hidden_layers
        self.layers = settings.layers or list(range(depth + 1))
        if max(self.layers) > depth:
            raise TaaeError(
                f"training.perceptual.layers: {max(self.layers)}; {settings.weights} has hidden"
                f" states 0 to {depth}"
            )
        # Networks with layer norm in their convolutions were trained on normalised waveforms.
        self.normalise = network.config.feat_extract_norm == "layer"

    def forward(self, decoded: Tensor, target: Tensor) -> Tensor:
        """Return the term for (batch, samples) at 16 kHz."""
        with torch.no_grad():
            true = self._features(target)
        pairs = zip(self._features(decoded), true, strict=True)
        return torch.stack([relative(y, x, FEATURE_FLOOR) for y, x in pairs]).mean()

    def _features(self, wave: Tensor) -> list[Tensor]:
        if self.normalise:
            wave = F.layer_norm(wave, wave.shape[1:], eps=NORM_EPS)
        states = self.network(wave, output_hidden_states=True).hidden_states
        return [states[layer] for layer in self.layers]
