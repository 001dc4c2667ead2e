"""The codec as its users see it, of either kind: `load_codec`, `encode`, `decode`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F

from taae.codec import conv, taae
from taae.codec.config import Bottleneck, CodecConfig, Kind
from taae.codec.fsq import FSQ
from taae.codec.hub import model_folder, push
from taae.codec.operating_points import OWN, Stage
from taae.codec.pretrained import CONFIG, WEIGHTS, read_config
from taae.codec.residual_fsq import ResidualFSQ
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, write_json

NETWORKS: dict[Kind, tuple[Callable[[CodecConfig], nn.Module], ...]] = {
    "taae": (taae.Encoder, taae.Decoder),
    "conv": (conv.Encoder, conv.Decoder),
}


class Codec(nn.Module):
    """Encoder, quantizer, decoder: `encode` and `decode` are its use; `forward` is its training."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        self.hop = config.model.hop
        self.encoder, decoder = (network(config) for network in NETWORKS[config.model.kind])
        self.quantizer: FSQ | ResidualFSQ = _quantizer(config.bottleneck)
        self.decoder = decoder

    def forward(self, wave: Tensor) -> Tensor:
        """Return the reconstruction of `wave` (batch, samples), of the same shape."""
        decoded: Tensor = self.decoder(self.quantizer(self.latents(wave)))
        return decoded[:, : wave.shape[1]]

    @torch.inference_mode()
    def encode(self, wave: Tensor) -> Tensor:
        """Return the codes of a waveform at `config.sample_rate`.

        Args:
            wave: (batch, samples), nominally at -20 LUFS, any length of at least 1.

        Returns:
            int64 (batch, frames, dimensions); frames = samples / hop, rounded up.
        """
        return self.quantizer.quantize(self.latents(wave))

    @torch.inference_mode()
    def decode(self, codes: Tensor, samples: int | None = None) -> Tensor:
        """Return the waveform (batch, samples) of `codes` (batch, frames, dimensions).

        Without `samples` the last frame is kept whole; pass the input's length to get just that.
        """
        wave: Tensor = self.decoder(self.quantizer.dequantize(codes))
        return wave if samples is None else wave[:, :samples]

    def with_bottleneck(self, stages: Sequence[Stage]) -> Codec:
        """Return this codec, weights shared, with a residual FSQ of these `stages`.

        Its codes are (batch, frames, stages * dimensions), see `taae.codec.residual_fsq`.
        A stage `OWN` is the quantizer of the training with other levels; without stages it has its
        own.

        Raises:
            TaaeError: the training's rounding is not defined for so many levels.
        """
        bottleneck = self.config.bottleneck
        own = bool(stages) and stages[0].scale == OWN
        levels = stages[0].levels if own else bottleneck.levels
        if own and levels == 2 and bottleneck.rounding == "original":
            raise TaaeError("operating point '2@own': original rounding has no grid of 2 levels")
        trained = _quantizer(replace(bottleneck, levels=levels))
        quantizer = ResidualFSQ(trained, stages) if stages and not own else trained
        view = copy.copy(self)
        view._modules = {**self._modules, "quantizer": quantizer.train(self.training)}
        return view

    def latents(self, wave: Tensor) -> Tensor:
        """Return what is quantised of `wave` (batch, samples): (batch, frames, dimensions)."""
        if wave.dim() != 2 or not wave.shape[1]:
            raise TaaeError(f"a waveform is (batch, samples) and not empty; got {list(wave.shape)}")
        latents: Tensor = self.encoder(F.pad(wave, (0, -wave.shape[1] % self.hop)))
        return latents

    @classmethod
    def from_pretrained(cls, model: Path | str) -> Codec:
        """Return the codec of a model folder, or of a model on the Hugging Face hub, by name."""
        return load_codec(model)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write the weights (safetensors) and the config (JSON) to `folder`, atomically."""
        weights = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        path = Path(folder) / WEIGHTS
        with atomic(path) as temporary:
            try:
                safetensors.torch.save_file(weights, temporary)
            except SafetensorError as error:
                raise TaaeError(f"{path}: cannot write here ({error})") from error
        write_json(asdict(self.config), Path(folder) / CONFIG)

    def push_to_hub(self, repository: str, card: str = "", *, private: bool = False) -> str:
        """Upload weights and config to the Hugging Face hub; see `taae.codec.hub.push`."""
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push(Path(folder), repository, card, private=private)


def _quantizer(settings: Bottleneck) -> FSQ:
    return FSQ(
        settings.levels,
        settings.rounding,
        settings.training,
        settings.random_levels,
        settings.shares,
    )


def load_codec(model: Path | str) -> Codec:
    """Return the codec of a model, of either kind, in evaluation mode.

    Args:
        model: folder, or a name on the Hugging Face hub (`taae.codec.hub`).

    Raises:
        TaaeError: a file is missing or damaged.
    """
    folder = model_folder(model)
    path = folder / WEIGHTS
    codec = Codec(read_config(folder))
    try:
        codec.load_state_dict(safetensors.torch.load_file(path))
    except FileNotFoundError as error:
        raise TaaeError(f"{path}: no such file; is {folder} a model?") from error
    except (SafetensorError, RuntimeError) as error:
        raise TaaeError(
            f"{path}: not the weights of this codec: {shorten(str(error), 300)}"
        ) from error
    return codec.eval()
