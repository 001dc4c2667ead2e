"""The codec as its users see it, whatever its layers: `encode`, `decode`, `save_pretrained`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar, Self

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F

from taae.codec.config import CodecConfig, Kind
from taae.codec.fsq import FSQ
from taae.codec.operating_points import Stage
from taae.codec.pretrained import CONFIG, WEIGHTS, read_config
from taae.codec.residual_fsq import ResidualFSQ
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, write_json

WAVE_RMS = 0.1  # of speech at -20 LUFS, about


class Codec(nn.Module):
    """Encoder, quantizer, decoder: `encode` and `decode` are its use; `forward` is its training."""

    kind: ClassVar[Kind]

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        self.hop = config.model.hop
        self.encoder, decoder = self.build(config)
        bottleneck = config.bottleneck
        self.quantizer: FSQ | ResidualFSQ = FSQ(
            bottleneck.levels, bottleneck.rounding, bottleneck.training, bottleneck.random_levels
        )
        self.decoder = decoder

    @classmethod
    def build(cls, config: CodecConfig) -> tuple[nn.Module, nn.Module]:
        """Return a new encoder and a new decoder."""
        raise NotImplementedError

    def forward(self, wave: Tensor) -> Tensor:
        """Return the reconstruction of `wave` (batch, samples), of the same shape."""
        latents = self.latents(wave)
        decoded: Tensor = self.decoder(self.quantizer(latents))
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

    def with_bottleneck(self, stages: Sequence[Stage]) -> Self:
        """Return this codec, weights shared, with a residual FSQ of these `stages`.

        Its codes are (batch, frames, stages * dimensions), see `taae.codec.residual_fsq`.
        Without stages it has the quantizer of the training.
        """
        trained = self.quantizer
        if isinstance(trained, ResidualFSQ):
            trained = trained.trained
        view = copy.copy(self)
        view._modules = {
            **self._modules,
            "quantizer": ResidualFSQ(trained, stages).eval() if stages else trained,
        }
        return view

    def latents(self, wave: Tensor) -> Tensor:
        """Return what is quantised of `wave` (batch, samples): (batch, frames, dimensions)."""
        latents: Tensor = self.encoder(self._whole_frames(wave))
        return latents

    def _whole_frames(self, wave: Tensor) -> Tensor:
        if wave.dim() != 2 or not wave.shape[1]:
            raise TaaeError(f"a waveform is (batch, samples) and not empty; got {list(wave.shape)}")
        return F.pad(wave, (0, -wave.shape[1] % self.hop))

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

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> Self:
        """Return the codec that `save_pretrained` wrote to `folder`, in evaluation mode.

        For a codec whose kind is not known beforehand there is `taae.codec.load.load_codec`.

        Raises:
            TaaeError: a file is missing or damaged, or the model is of another kind.
        """
        folder = Path(folder)
        config = read_config(folder)
        if config.model.kind != cls.kind:
            raise TaaeError(f"{folder}: a codec of kind {config.model.kind} cannot do this")
        try:
            codec = cls(config)
            weights = safetensors.torch.load_file(folder / WEIGHTS)
        except FileNotFoundError as error:
            raise TaaeError(f"{error.filename}: no such file; is {folder} a model?") from error
        except (SafetensorError, RuntimeError) as error:
            raise TaaeError(
                f"{folder / WEIGHTS}: not the weights of this codec: {error}"
            ) from error
        if difference := _difference(codec.state_dict(), weights):
            raise TaaeError(f"{folder / WEIGHTS}: not the weights of this codec: {difference}")
        codec.load_state_dict(weights)
        return codec.eval()


def _difference(expected: dict[str, Tensor], found: dict[str, Tensor]) -> str:
    """Return what sets the names and shapes of two sets of weights apart; empty: nothing."""
    shapes = [{name: list(w.shape) for name, w in weights.items()} for weights in (expected, found)]
    names = [name for name in expected | found if shapes[0].get(name) != shapes[1].get(name)]
    if not names:
        return ""
    first = names[0]
    there, wanted = shapes[1].get(first, "absent"), shapes[0].get(first, "absent")
    return f"{len(names)} tensors differ, first {first}: {there} instead of {wanted}"
