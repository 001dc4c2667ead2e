"""The config of a study: the sections of all rooms, and what is compared. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from taae.codec.config import Attention, Bottleneck, Model
from taae.corpus.config import Corpus
from taae.evaluation.config import Bitrates, Decoding, Lengths, Metrics
from taae.evaluation.other_codecs.config import OtherCodec
from taae.training.config import BASELINE, Training, Variant
from taae.utils.settings import Distinct, Name, Settings, key


@dataclass(frozen=True)
class Statistics(Settings):
    """Confidence intervals."""

    confidence: float = key(0.95, "of the intervals", gt=0.5, lt=1)
    resamples: int = key(5000, "of the studentised bootstrap", ge=100)
    seed: int = key(1, "of the resamples", ge=0)


@dataclass(frozen=True)
class Ablation(Settings):
    """A comparison of variants with their reference."""

    title: str = key(..., "stands over its figures", min_length=1)
    varies: list[str] = key(..., "dotted keys in which the variants may differ", min_length=1)
    variants: Distinct[Name] = key(..., "what is compared with the reference", min_length=1)
    primary: str = key(..., "the metric that was chosen before the results were seen")
    reference: Name = key(BASELINE, "what the variants are compared with")
    controls: list[Name] = key(
        [], "variants that are known to change nothing and measure the noise of training"
    )

    @property
    def arms(self) -> list[str]:
        """The reference, then the variants."""
        return [self.reference, *self.variants]


@dataclass(frozen=True)
class StudyConfig(Settings):
    """A study as it is written. The four sections of a codec and its training are the baseline."""

    corpus: Corpus = key(Corpus(), "the speech that models are trained and tested on")
    model: Model = key(Model(), "the codec's shape")
    attention: Attention = key(Attention(), "its sliding window")
    bottleneck: Bottleneck = key(Bottleneck(), "its quantizer")
    training: Training = key(Training(), "its training")
    decoding: Decoding = key(Decoding(), "how the test utterances are decoded")
    metrics: Metrics = key(Metrics(), "what is scored")
    bitrates: Bitrates = key(Bitrates(), "the same models at other bitrates")
    lengths: Lengths = key(Lengths(), "the same models on speech of other lengths")
    statistics: Statistics = key(Statistics(), "confidence intervals")
    seeds: Distinct[Annotated[int, Field(ge=0, lt=2**32)]] = key(  # with a step, a seed of torch
        [1], "of the trainings; one training per variant and seed", min_length=1
    )
    variants: dict[Name, Variant] = key({}, "named changes of the baseline, as sparse as wanted")
    codecs: dict[Name, OtherCodec] = key({}, "other codecs in the same tables")
    ablations: dict[Name, Ablation] = key({}, "named comparisons")
    select: Literal["all"] | Distinct[Name] = key(
        "all", "all, or the ablations to run; then only their variants are trained"
    )
