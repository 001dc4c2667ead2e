"""What is decoded and scored: sections of a study. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from taae.evaluation.metrics import METRICS
from taae.utils.settings import Distinct, Name, Settings, Share, default

MetricName = Literal[*METRICS]  # type: ignore[valid-type]  # their names stand in one place
QUICK = ["si_sdr", "mel_distance", "stft_distance", "pesq_wb", "stoi"]


@dataclass(frozen=True)
class Decoding(Settings):
    """How the models decode the test utterances."""

    precision: Literal["bfloat16", "float32"] = "float32"
    """Of the layers; bfloat16 is by autocast."""


@dataclass(frozen=True)
class MOSNet(Settings):
    """Settings of the metric `mosnet`."""

    weights: str = ""
    """Path or https URL of cnn_blstm.h5 of github.com/lochenchou/MOSNet (pre_trained/); empty:
    mosnet is left out."""


@dataclass(frozen=True)
class Metrics(Settings):
    """What is scored."""

    names: Annotated[Distinct[MetricName], Field(min_length=1)] = default(
        [name for name in METRICS if not name.endswith("_dac")]
    )
    """The metrics."""
    max_failed: Share = 0.1
    """Largest share of a metric's values that a scoring job may lack."""
    max_seconds: PositiveFloat = 30.0
    """[s] Longest utterance that PESQ is given."""
    mosnet: MOSNet = MOSNet()


@dataclass(frozen=True)
class Bitrates(Settings):
    """The same checkpoints at other bitrates: residual FSQ after training."""

    points: Distinct[Annotated[str, Field(pattern="^[0-9a-z@+.]+$")]] = default([])
    """Operating points beside the native one: 1x46656, 2x15625, 4x729, or free stages
    LEVELS@SCALE joined by +."""
    ablations: Distinct[Name] = default([])
    """Ablations whose arms are decoded at them."""
    fit_minutes: NonNegativeFloat = 0.0
    """[min] Training speech that the entropy models are fitted on; 0: all."""
    metrics: Annotated[Distinct[str], Field(min_length=1)] = default(QUICK)
    """Metrics that are scored at them, among metrics.names."""


@dataclass(frozen=True)
class Lengths(Settings):
    """The length study: test speech at other lengths than the models were trained on."""

    seconds: Distinct[PositiveFloat] = default([])
    """[s] Lengths that the test speech is recut to; none: no length study."""
    ablation: str = "window"
    """Ablation whose arms are scored at each length."""
    metrics: Annotated[Distinct[str], Field(min_length=1)] = default(QUICK)
    """Metrics that are scored at them, among metrics.names."""
