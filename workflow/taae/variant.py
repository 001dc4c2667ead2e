"""What a variant is: a codec and how it is trained, as typed values. No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import dacite

from taae.coverage import rates, window_sides
from taae.errors import TaaeError
from taae.recipe import Training
from taae.sample_rate import SAMPLE_RATE
from taae.stages import NATIVE, alphabet, nominal_bitrate, stages_of

BASELINE = "baseline"
Rounding = Literal["symmetric", "original"]
TrainingMode = Literal["hybrid", "ste", "noise"]
Kind = Literal["taae", "conv"]
SECTIONS = ("model", "attention", "bottleneck", "training")  # what a variant may override


@dataclass(frozen=True)
class Model:
    """The codec's shape; see `taae.codec`, and `taae.conv` for `kind` conv."""

    patch: int
    layers: list[int]
    strides: list[int]
    width: int
    head_dim: int
    ff_mult: int
    norm_eps: float
    layer_scale: float
    kind: Kind = "taae"
    biases: bool = False  # models saved without it lack the key

    @property
    def hop(self) -> int:
        """Samples per latent frame."""
        return self.patch * math.prod(self.strides)


@dataclass(frozen=True)
class Attention:
    """The sliding window; see `taae.coverage.window_sides`."""

    window: int
    causal: bool


@dataclass(frozen=True)
class Bottleneck:
    """The quantizer; see `taae.fsq`."""

    dimensions: int
    levels: int
    rounding: Rounding
    training: TrainingMode
    random_levels: list[int] = field(default_factory=list)  # models saved without it lack the key


@dataclass(frozen=True)
class Variant:
    """Everything that determines a training but for its corpus and its seed.

    `pretrained` names the folder of a model that is used as it is; then `training` is the
    baseline's, and tells no more than how many GPUs there are.
    """

    model: Model
    attention: Attention
    bottleneck: Bottleneck
    training: Training
    pretrained: str = ""

    @classmethod
    def from_dict(cls, sections: dict[str, Any]) -> Variant:
        """Build from plain sections; they have every key (see `taae.schema.with_defaults`)."""
        try:
            return dacite.from_dict(cls, sections, dacite.Config(strict=True, cast=[float]))
        except dacite.DaciteError as error:
            raise TaaeError(f"variant: {error}") from error

    @property
    def bitrate(self) -> float:
        """Nominal bits per second: latents/s x dimensions x log2(levels)."""
        return self.bitrate_at(NATIVE)

    def bitrate_at(self, point: str) -> float:
        """Nominal bits per second at an operating point."""
        bottleneck = self.bottleneck
        values = alphabet(bottleneck.levels, bottleneck.dimensions, stages_of(point))
        return nominal_bitrate(values, SAMPLE_RATE / self.model.hop)

    @property
    def segment_samples(self) -> int:
        """Samples of a training segment: `training.segment` in whole latent frames."""
        hop = self.model.hop
        return max(1, round(self.training.segment * SAMPLE_RATE / hop)) * hop

    def rates(self) -> list[float]:
        """Frames per second at each depth, from the waveform inwards."""
        return [float(rate) for rate in rates(SAMPLE_RATE, self.model.patch, self.model.strides)]

    def check(self) -> None:
        """Raise a `TaaeError` for a codec that cannot be built."""
        model = self.model
        if len(model.strides) != len(model.layers) - 1:
            raise TaaeError(
                f"model.strides: {len(model.strides)} strides between {len(model.layers)} rates;"
                " model.layers has one entry per rate, strides one fewer"
            )
        if model.width % model.head_dim:
            raise TaaeError(
                f"model.width: {model.width} is no multiple of head_dim ({model.head_dim})"
            )
        bottleneck = self.bottleneck
        if bottleneck.rounding == "original" and 2 in (
            bottleneck.levels,
            *bottleneck.random_levels,
        ):
            raise TaaeError("bottleneck.levels: original rounding is not defined for 2 levels")
        window_sides(self.attention.window, self.attention.causal)
        if not self.pretrained:
            self.training.check(self.segment_samples)
