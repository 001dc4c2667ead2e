"""Operating points: the quantizers that a trained codec can be used with, by name. No torch.

A point is `native` (the quantizer of the training), that quantizer with other levels, or the stages
of a residual FSQ (`taae.codec.residual_fsq`), a preset or free:

    8@own     8 levels on the grid of the training's own rounding
    1x46656   6 levels, symmetric whatever the training's rounding
    2x15625   5 levels, then 5 at 1/4
    4x729     3 levels, then 3 at 1/2, 1/4 and 1/8
    7@1+3@0.5 free: LEVELS@SCALE for each stage

The presets and their names come from stable-codec: stages x codes per stage, which are
levels^dimensions at 6 dimensions (6^6 = 46656). The stages apply to each dimension on its own, so
they hold for any number of dimensions, where the codes of a stage number levels^dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from taae.utils.errors import TaaeError

NATIVE = "native"
MOST_LEVELS = 255  # codes are stored as bytes
OWN = 0.0  # scale of a stage that stands alone, on the grid of the training's own rounding


class Stage(NamedTuple):
    """One quantizer of a residual FSQ: `levels` evenly on [-scale, scale], ends included.

    With the scale `OWN` it is the quantizer of the training with other levels.
    """

    levels: int
    scale: float


PRESET_POINTS: dict[str, tuple[Stage, ...]] = {
    "1x46656": (Stage(6, 1.0),),
    "2x15625": (Stage(5, 1.0), Stage(5, 1 / 4)),
    "4x729": (Stage(3, 1.0), Stage(3, 1 / 2), Stage(3, 1 / 4), Stage(3, 1 / 8)),
}


def stages_of(point: str) -> tuple[Stage, ...]:
    """Return the stages of an operating point; none for `native`."""
    if point == NATIVE:
        return ()
    if point in PRESET_POINTS:
        return PRESET_POINTS[point]
    try:
        if point.endswith("@own"):
            return (own(int(point.removesuffix("@own"))),)
        pairs = [part.split("@") for part in point.split("+")]
        stages = tuple(Stage(int(levels), float(scale)) for levels, scale in pairs)
        possible = all(2 <= n <= MOST_LEVELS and 0 < scale < math.inf for n, scale in stages)
    except ValueError:
        possible = False
    if not possible:
        raise TaaeError(
            f"operating point '{point}': there are {NATIVE}, {', '.join(PRESET_POINTS)}, LEVELS@own"
            f" and free stages LEVELS@SCALE joined by +, such as 5@1+5@0.25, of 2 to {MOST_LEVELS}"
            " levels and scales above 0"
        )
    return stages


def point_label(point: str) -> str:
    """Return a point as readers see it: of one stage LEVELS@SCALE, since presets are named for 6
    dimensions."""
    stages = stages_of(point)
    one = len(stages) == 1 and stages[0].scale != OWN
    return f"{stages[0].levels}@{stages[0].scale:g}" if one else point


def own(levels: int) -> Stage:
    """Return the quantizer of the training with other levels.

    Raises:
        ValueError: so many levels are not possible.
    """
    if not 2 <= levels <= MOST_LEVELS:
        raise ValueError(f"{levels} levels")
    return Stage(levels, OWN)


def name_of(stages: Sequence[Stage]) -> str:
    """Return the name of the operating point with these stages: the inverse of `stages_of`."""
    for name, known in {NATIVE: (), **PRESET_POINTS}.items():
        if tuple(stages) == known:
            return name
    if stages[0].scale == OWN:
        return f"{stages[0].levels}@own"
    # Six digits, which survive the float32 of a .taae file.
    return "+".join(f"{levels}@{scale:.6g}" for levels, scale in stages)


def nominal_bitrate(alphabet: Sequence[int], frame_rate: float) -> float:
    """Return bits per second: latents/s x the sum of log2(values) over the columns."""
    return frame_rate * sum(math.log2(values) for values in alphabet)
