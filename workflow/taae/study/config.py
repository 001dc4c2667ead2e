"""The config of a study: the sections of all rooms, and what is compared. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from taae.codec.config import Attention, Bottleneck, Model
from taae.corpus.config import Corpus, TestSet
from taae.evaluation.config import Bitrates, Decoding, Lengths, Metrics
from taae.evaluation.metrics import METRICS
from taae.evaluation.other_codecs.config import OtherCodec
from taae.evaluation.robustness.config import Robustness
from taae.training.config import BASELINE, Training, Variant
from taae.utils.settings import Distinct, Name, Settings, default

Seed = Annotated[int, Field(ge=0, lt=2**32)]  # with a step, a seed of torch

# At most half of what 75 % more bits buy in the paper's table (400 to 700 bit/s: SI-SDR +1.55 dB,
# Mel -.11, STFT -.09, PESQ +.13, STOI +.02). At .01 STOI words understood change by 4.4 % at most,
# by the curve of Taal et al. (2011) for IEEE sentences. Metrics on a scale of MOS share a margin.
MARGINS = {
    **{"si_sdr": 0.2, "mel_distance": 0.03, "stft_distance": 0.03},
    **{"pesq_wb": 0.05, "pesq_nb": 0.05, "stoi": 0.01, "estoi": 0.015},
    **{f"dnsmos_{scale}": 0.05 for scale in ("ovrl", "sig", "bak", "p808")},
    "mosnet": 0.05,
    # A quarter of a category of the scale; 60 of 100 choices instead of 50.
    **{"mushra": 5.0, "dcr": 0.25, "preference": 0.2},
}
AnyMetric = Literal[*METRICS]  # type: ignore[valid-type]  # their names stand in one place


@dataclass(frozen=True)
class Statistics(Settings):
    """Confidence intervals and verdicts."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Confidence of the intervals."""
    resamples: Annotated[int, Field(ge=100)] = 5000
    """Resamples of the studentised bootstrap."""
    seed: NonNegativeInt = 1
    """Seed of the resamples."""
    margins: dict[AnyMetric, PositiveFloat] = default(MARGINS)
    """Differences that do not matter in practice: what is shown to be smaller is equivalent. A
    metric without one is never equivalent."""


@dataclass(frozen=True)
class Page(Settings):
    """What one can listen to on the page of the study."""

    utterances: PositiveInt = 6
    """Test utterances, drawn by the seed, from as many speakers as there are."""
    seed: NonNegativeInt = 1
    """Seed of the draw."""
    max_megabytes: PositiveFloat = 40.0
    """[MB] Largest size of recordings and spectrograms; utterances that exceed it are left out, and
    the page says so."""
    sounds: Literal["wav", "opus"] = "wav"
    """How recordings are written: `wav` changes nothing but the gain; `opus` codes all of them once
    more, at 96 kbit/s, in little more than a third of the room."""
    leave_out: Distinct[str] = default([])
    """Variants, operating points and other codecs that are not heard; references of ablations
    always are."""
    attribution: str = ""
    """Whose speech is heard and under which licence, for the foot of the page; a URL becomes a
    link."""


@dataclass(frozen=True)
class Listening(Settings):
    """Listening tests, whose ratings are metrics of the study like any other."""

    tests: Distinct[str] = default([])
    """Folders of `taae listen`, with the listeners' files in ratings/ of each."""


@dataclass(frozen=True)
class Ablation(Settings):
    """A comparison of variants with their reference."""

    title: Annotated[str, Field(min_length=1)]
    """What stands over its figures."""
    varies: Annotated[list[str], Field(min_length=1)]
    """Dotted keys in which the variants may differ."""
    variants: Annotated[Distinct[Name], Field(min_length=1)]
    """What is compared with the reference."""
    primary: str
    """The metric that was chosen before the results were seen."""
    reference: Name = BASELINE
    """What the variants are compared with."""
    controls: list[Name] = default([])
    """Variants that are known to change nothing and measure the noise of training."""

    @property
    def arms(self) -> list[str]:
        """The reference, then the variants."""
        return [self.reference, *self.variants]


@dataclass(frozen=True)
class StudyConfig(Settings):
    """A study as it is written. The four sections of a codec and its training are the baseline."""

    corpus: Corpus = Corpus()
    tests: dict[Name, TestSet] = default({})
    """More test sets, by name. Every model and other codec is scored on each; `main`, the corpus's
    own test split, is always there and the primary one."""
    model: Model = Model()
    attention: Attention = Attention()
    bottleneck: Bottleneck = Bottleneck()
    training: Training = Training()
    decoding: Decoding = Decoding()
    metrics: Metrics = Metrics()
    bitrates: Bitrates = Bitrates()
    lengths: Lengths = Lengths()
    robustness: Robustness = Robustness()
    listening: Listening = Listening()
    statistics: Statistics = Statistics()
    page: Page = Page()
    seeds: Annotated[Distinct[Seed], Field(min_length=1)] = default([1])
    """Seeds of the trainings; one training per variant and seed."""
    trunk: Variant | None = None
    """What trainings with `start: trunk` begin with: changes of the baseline, as a variant's. With
    `pretrained` it is a finished model, which the changes then describe."""
    variants: dict[Name, Variant] = default({})
    """Named changes of the baseline, as sparse as wanted."""
    labels: dict[Name, str] = default({})
    """What readers of the findings and the page are told of a variant, in a few words; labels of
    what is no variant are of no effect."""
    codecs: dict[Name, OtherCodec] = default({})
    """Other codecs in the same tables."""
    ablations: dict[Name, Ablation] = default({})
    """Named comparisons."""
    select: Literal["all"] | Distinct[Name] = "all"
    """All, or the ablations to run; then only their variants and the baseline are trained."""
