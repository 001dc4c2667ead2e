"""The section `robustness` of a study: hard conditions for its codecs. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat

from taae.evaluation.config import QUICK
from taae.utils.settings import Distinct, Name, Settings, default

Rate = Annotated[float, Field(gt=0, le=1)]
NEIGHBOUR, RANDOM = "neighbour", "random"
SILENCE = "silence-"  # what the name of the file of levels begins with


@dataclass(frozen=True)
class Flips(Settings):
    """Wrong codes, as bit errors leave them."""

    rates: Distinct[Rate] = default([0.001, 0.01, 0.03, 0.1])
    """Shares of the codes that are changed."""
    to: Distinct[Literal["neighbour", "random"]] = default([NEIGHBOUR, RANDOM])
    """What they become: a level next to them, or any other level."""


@dataclass(frozen=True)
class Robustness(Settings):
    """Hard conditions, without training: an empty list switches one off."""

    ablations: Distinct[Name] = default([])
    """Ablations whose arms are put through the conditions; none: no job."""
    metrics: Annotated[Distinct[str], Field(min_length=1)] = default(QUICK)
    """Metrics that are scored, among metrics.names; the primary ones of the ablations have to be
    among them."""
    seed: NonNegativeInt = 1
    """Seed of all draws, which are the same for all arms."""
    flips: Flips = Flips()
    losses: Distinct[Rate] = default([0.01, 0.05, 0.1])
    """Shares of the latent frames that are lost; the last one that arrived is repeated."""
    burst_ms: PositiveFloat = 20.0
    """[ms] Length of a burst of lost frames, in whole latent frames and at least one."""
    passes: Distinct[Annotated[int, Field(ge=2, le=100)]] = default([2, 3, 5])
    """How often the codec is given its own output."""
    gains_db: Distinct[Annotated[float, Field(ge=-80, le=40)]] = default([-30.0, -10.0, 6.0])
    """[dB] Gains of the input."""
    noise_db: Distinct[Annotated[float, Field(ge=-20, le=80)]] = default([20.0, 10.0])
    """[dB] Ratios of the input's speech to white noise in it."""
    band_hz: Distinct[Annotated[float, Field(ge=1000, le=7500)]] = default([4000.0])
    """[Hz] Bandwidths of the input."""
    silence: bool = True
    """Whether to measure what becomes of digital silence and of noise at -60 dBFS."""
