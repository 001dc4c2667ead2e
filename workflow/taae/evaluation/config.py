"""What is decoded and scored: sections of a study. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from taae.evaluation.metrics import METRICS
from taae.utils.settings import Distinct, Name, Settings, key

MetricName = Literal[*METRICS]  # type: ignore[valid-type]  # their names stand in one place
QUICK = ["si_sdr", "mel_distance", "stft_distance", "pesq_wb", "stoi"]


@dataclass(frozen=True)
class Decoding(Settings):
    """How the models decode the test utterances."""

    precision: Literal["bfloat16", "float32"] = key("float32", "bfloat16 is by autocast")


@dataclass(frozen=True)
class MOSNet(Settings):
    """Settings of the metric `mosnet`."""

    weights: str = key(
        "",
        "path or https URL of cnn_blstm.h5 of github.com/lochenchou/MOSNet (pre_trained/); empty:"
        " mosnet is left out",
    )


@dataclass(frozen=True)
class Metrics(Settings):
    """What is scored."""

    names: Distinct[MetricName] = key(
        [name for name in METRICS if not name.endswith("_dac")], "the metrics", min_length=1
    )
    max_failed: float = key(
        0.1, "largest share of a metric's values that a scoring job may lack", ge=0, le=1
    )
    max_seconds: float = key(30.0, "longest utterance that PESQ is given", "s", gt=0)
    mosnet: MOSNet = key(MOSNet(), "MOSNet's weights")


@dataclass(frozen=True)
class Bitrates(Settings):
    """The same checkpoints at other bitrates: residual FSQ after training."""

    points: Distinct[Annotated[str, Field(pattern="^[0-9a-z@+.]+$")]] = key(
        [],
        "operating points beside the native one: 1x46656, 2x15625, 4x729, or stages"
        " LEVELS@SCALE+...",
    )
    ablations: Distinct[Name] = key([], "whose arms are decoded at them")
    fit_minutes: float = key(
        0.0, "training speech that the entropy models are fitted on; 0: all", "min", ge=0
    )
    metrics: Distinct[str] = key(QUICK, "scored at them", min_length=1)


@dataclass(frozen=True)
class Lengths(Settings):
    """The length study: test speech at other lengths than the models were trained on."""

    seconds: Distinct[Annotated[float, Field(gt=0)]] = key(
        [], "lengths that the test speech is recut to; none: no length study", "s"
    )
    ablation: str = key("window", "whose arms are scored at each length")
    metrics: Distinct[str] = key(QUICK, "scored at them", min_length=1)
