"""What fixes a codec: shape, attention window, bottleneck. Settings of the study; no torch."""

from __future__ import annotations

import math
from dataclasses import InitVar, dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from taae.codec.presets import PRESETS
from taae.utils.errors import TaaeError
from taae.utils.sample_rate import SAMPLE_RATE
from taae.utils.settings import Distinct, Settings, key, validate

Rounding = Literal["symmetric", "original"]
TrainingMode = Literal["hybrid", "ste", "noise"]
Kind = Literal["taae", "conv"]
Preset = Literal[*PRESETS]  # type: ignore[valid-type]  # their names stand in one place
MOST_LEVELS = 255  # codes are stored as bytes


@dataclass(frozen=True)
class Model(Settings):
    """The codec's shape; see `taae.codec.taae`, and `taae.codec.conv` for `kind` conv."""

    patch: int = key(320, "length of a frame", "samples", ge=1)
    layers: list[Annotated[int, Field(ge=1)]] = key(
        [4, 4], "transformer layers at each rate", min_length=1
    )
    strides: list[Annotated[int, Field(ge=2)]] = key(
        [2], "between the rates; one fewer than layers"
    )
    width: int = key(256, "features of a frame", ge=8)
    head_dim: int = key(64, "features per attention head", ge=4, multiple_of=4)
    ff_mult: int = key(4, "width of the feed-forward layers over width", ge=1)
    norm_eps: float = key(1e-2, "epsilon of the normalisations", gt=0)
    layer_scale: float = key(0.3, "initial scale of each residual branch", gt=0)
    kind: Kind = key(
        "taae",
        "taae (the paper's), or conv (a convolutional codec of as many parameters and the same hop,"
        " for comparison; it reads patch, strides, the bottleneck and attention.causal, and has no"
        " attention: layers, width and the like set its number of parameters alone)",
    )
    biases: bool = key(
        False,
        "in the feed-forward layers and the norms of queries and keys, as the published checkpoint"
        " has them",
    )
    preset: InitVar[Preset | None] = key(
        None,
        "patch, layers, strides, width and head_dim at once; those given beside it override it",
    )

    @property
    def hop(self) -> int:
        """Samples per latent frame."""
        return self.patch * math.prod(self.strides)


@dataclass(frozen=True)
class Attention(Settings):
    """The sliding window of self-attention; see `taae.codec.window.window_sides`."""

    window: int = key(128, "keys that a query sees, itself included; even where not causal", ge=1)
    causal: bool = key(False, "whether the window lies in the past only")


@dataclass(frozen=True)
class Bottleneck(Settings):
    """The finite scalar quantizer; see `taae.codec.fsq`."""

    dimensions: int = key(6, "dimensions of a latent", ge=1)
    levels: int = key(17, "levels of each dimension", ge=2, le=MOST_LEVELS)
    rounding: Rounding = key(
        "symmetric", "grid of an even number of levels: the paper's, or that of the original FSQ"
    )
    training: TrainingMode = key(
        "hybrid",
        "ste (straight-through rounding), noise, or hybrid (the paper's: noise, nothing and ste, at"
        " random)",
    )
    random_levels: Distinct[Annotated[int, Field(ge=2, le=MOST_LEVELS)]] = key(
        [], "where given, each segment is trained with levels drawn from these (paper: 5, 9, 17)"
    )


@dataclass(frozen=True)
class CodecConfig(Settings):
    """What fixes a codec's function and the shapes of its weights."""

    model: Model
    attention: Attention
    bottleneck: Bottleneck
    sample_rate: int = SAMPLE_RATE


def saved_config(content: Any) -> CodecConfig:
    """Return the config that is saved with a model; defaults of studies play no part in it.

    Raises:
        TaaeError: it is not a codec's, or lacks a key.
    """
    config: CodecConfig = validate(CodecConfig, content)
    later = {"kind", "biases", "preset", "random_levels"}  # saved models may be older
    for name in ("model", "attention", "bottleneck"):
        for lacking in getattr(config, name).__dataclass_fields__.keys() - content[name] - later:
            raise TaaeError(f"{name}: no key '{lacking}'")
    return config
