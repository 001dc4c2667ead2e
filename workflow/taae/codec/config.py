"""What fixes a codec: shape, attention window, bottleneck. Settings of the study; no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from taae.utils.sample_rate import SAMPLE_RATE

Rounding = Literal["symmetric", "original"]
TrainingMode = Literal["hybrid", "ste", "noise"]
Kind = Literal["taae", "conv"]


@dataclass(frozen=True)
class Model:
    """The codec's shape; see `taae.codec.taae`, and `taae.codec.conv` for `kind` conv."""

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
    """The sliding window; see `taae.codec.window.window_sides`."""

    window: int
    causal: bool


@dataclass(frozen=True)
class Bottleneck:
    """The quantizer; see `taae.codec.fsq`."""

    dimensions: int
    levels: int
    rounding: Rounding
    training: TrainingMode
    random_levels: list[int] = field(default_factory=list)  # models saved without it lack the key


@dataclass(frozen=True)
class CodecConfig:
    """What fixes a codec's function and the shapes of its weights."""

    model: Model
    attention: Attention
    bottleneck: Bottleneck
    sample_rate: int = SAMPLE_RATE
