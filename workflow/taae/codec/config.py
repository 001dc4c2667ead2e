"""What fixes a codec: shape, attention window, bottleneck. Settings of the study; no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt

from taae.codec.operating_points import MOST_LEVELS, Stage
from taae.utils.sample_rate import SAMPLE_RATE
from taae.utils.settings import Distinct, NonEmpty, Settings, Share, default

Rounding = Literal["symmetric", "original", "shifted"]
TrainingMode = Literal["hybrid", "ste", "noise", "continuous"]
HYBRID_SHARES = (0.5, 0.25, 0.25)  # of the paper's authors' code, as they confirmed
Kind = Literal["taae", "conv"]

# Shapes by name. `950M` is the paper's largest (width and layers as its checkpoint has them, as far
# as is known); the paper gives no shapes for its models of about 250M and 500M parameters, so
# these two are a choice: the same hop and head, narrower, with the layers that come nearest.
SHAPES: dict[str, dict[str, Any]] = {
    "demo": {"patch": 80, "layers": [1, 3], "strides": [2], "width": 128, "head_dim": 64},
    "tiny": {"patch": 320, "layers": [1, 2], "strides": [2], "width": 128, "head_dim": 64},
    "small": {"patch": 320, "layers": [4, 4], "strides": [2], "width": 256, "head_dim": 64},
    "250M": {"patch": 320, "layers": [8, 21], "strides": [2], "width": 512, "head_dim": 128},
    "500M": {"patch": 320, "layers": [8, 18], "strides": [2], "width": 768, "head_dim": 128},
    "950M": {"patch": 320, "layers": [8, 20], "strides": [2], "width": 1024, "head_dim": 128},
}
Preset = Literal[*SHAPES]  # type: ignore[valid-type]  # their names stand in one place


@dataclass(frozen=True)
class Model(Settings):
    """The codec's shape; see `taae.codec.taae`, and `taae.codec.conv` for `kind` conv."""

    patch: PositiveInt = 320
    """[samples] Length of a frame."""
    layers: NonEmpty[PositiveInt] = default([4, 4])
    """Transformer layers at each rate."""
    strides: list[Annotated[int, Field(ge=2)]] = default([2])
    """Strides between the rates; one fewer than layers."""
    width: Annotated[int, Field(ge=8)] = 256
    """Features of a frame."""
    head_dim: Annotated[int, Field(ge=4, multiple_of=4)] = 64
    """Features per attention head."""
    ff_mult: PositiveInt = 4
    """Width of the feed-forward layers over width."""
    norm_eps: PositiveFloat = 1e-2
    """Epsilon of the normalisations."""
    layer_scale: PositiveFloat = 0.3
    """Initial scale of each residual branch."""
    kind: Kind = "taae"
    """`taae` (the paper's), or `conv` (a convolutional codec of as many parameters and the same
    hop, for comparison; it reads patch, strides, the bottleneck and attention.causal, and has no
    attention: layers, width and the like set its number of parameters alone)."""
    biases: bool = False
    """Whether the feed-forward layers and the norms of queries and keys have biases, as in the
    published checkpoint."""
    preset: InitVar[Preset | None] = None
    """Sets patch, layers, strides, width and head_dim; those given beside it override it."""

    @property
    def hop(self) -> int:
        """Samples per latent frame."""
        return self.patch * math.prod(self.strides)


@dataclass(frozen=True)
class Attention(Settings):
    """The sliding window of self-attention; see `taae.codec.attention_window.window_sides`."""

    window: PositiveInt = 128
    """Keys that a query sees, itself included; an even number unless causal."""
    causal: bool = False
    """Whether the window lies in the past only."""
    random_windows: Distinct[PositiveInt] = default([])
    """Where given, each step of the training takes a window drawn from these."""


def _sum_to_one(shares: list[float]) -> list[float]:
    if abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"{shares} should sum to 1, not {sum(shares):g}")
    return shares


@dataclass(frozen=True)
class Bottleneck(Settings):
    """The finite scalar quantizer; see `taae.codec.fsq`."""

    dimensions: PositiveInt = 6
    """Dimensions of a latent."""
    levels: Annotated[int, Field(ge=2, le=MOST_LEVELS)] = 17
    """Levels of each dimension."""
    rounding: Rounding = "symmetric"
    """Where the levels lie: `symmetric` (the paper's), `original` (that of the original FSQ, the
    same grid at an odd number of levels), or `shifted` (half a step above the symmetric one)."""
    training: TrainingMode = "hybrid"
    """`ste` (straight-through rounding), `noise`, `hybrid` (the paper's: noise, nothing or ste, by
    chance), or `continuous` (never rounded: noise of a random scale up to that of `noise`)."""
    random_levels: Distinct[Annotated[int, Field(ge=2, le=MOST_LEVELS)]] = default([])
    """Where given, each segment is trained with levels drawn from these (paper: 5, 9, 17)."""
    shares: Annotated[
        list[Share], Field(min_length=3, max_length=3), AfterValidator(_sum_to_one)
    ] = default([*HYBRID_SHARES])
    """Of hybrid training: shares of segments with noise, nothing and ste. The paper says 0.5, 0,
    0.5; its authors' code has the default."""

    def effective(self) -> Bottleneck:
        """Return it without what plays no part: the shares of another training than hybrid."""
        if self.training == "hybrid":
            return self
        return replace(self, shares=[*HYBRID_SHARES])

    def alphabet(self, stages: Sequence[Stage] = ()) -> tuple[int, ...]:
        """Return the number of values of each column of the codes at an operating point.

        The columns of the first of its stages come first.
        """
        counts = [stage.levels for stage in stages] or [self.levels]
        return tuple(count for count in counts for _ in range(self.dimensions))


@dataclass(frozen=True)
class CodecConfig(Settings):
    """What fixes a codec's function and the shapes of its weights."""

    model: Model
    attention: Attention
    bottleneck: Bottleneck
    sample_rate: int = SAMPLE_RATE


def shaped(model: Any) -> Any:
    """Return a model section with the keys of its preset; those given beside it override.

    What is no section, or has a preset that is not known, stays for the validation to see.
    """
    preset = model.get("preset") if isinstance(model, dict) else None
    if not isinstance(preset, str) or preset not in SHAPES:
        return model
    return SHAPES[preset] | {key: value for key, value in model.items() if key != "preset"}
