"""The sections of a study beside its variants, as typed values; units in the schema."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MOSNet:
    """Path or https URL of MOSNet's weights; empty: none."""

    weights: str


@dataclass(frozen=True)
class Metrics:
    """What is scored."""

    names: list[str]
    max_failed: float
    max_seconds: float
    mosnet: MOSNet


@dataclass(frozen=True)
class Bitrates:
    """Operating points beside the native one, for the arms of `ablations`."""

    points: list[str]
    ablations: list[str]
    metrics: list[str]
    fit_minutes: float


@dataclass(frozen=True)
class Lengths:
    """The length study: test speech of `seconds`, through the arms of `ablation`."""

    seconds: list[float]
    ablation: str
    metrics: list[str]


@dataclass(frozen=True)
class Statistics:
    """Confidence intervals."""

    confidence: float
    resamples: int
    seed: int


@dataclass(frozen=True)
class Ablation:
    """A comparison of variants with their reference."""

    title: str
    varies: list[str]
    reference: str
    variants: list[str]
    controls: list[str]
    primary: str

    @property
    def arms(self) -> list[str]:
        """The reference, then the variants."""
        return [self.reference, *self.variants]


@dataclass(frozen=True)
class Download:
    """Subsets of LibriSpeech that come from `url` into the folder `path`; see the schema."""

    path: str
    url: str
    subsets: list[str]
