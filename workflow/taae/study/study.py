"""A study: its config, resolved once into typed values. Nothing here imports torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from taae.codec.operating_points import NATIVE
from taae.corpus.config import Download, TestSet
from taae.evaluation.config import Bitrates, Decoding, Lengths, Metrics
from taae.evaluation.metrics import METRICS
from taae.evaluation.other_codecs.config import OtherCodec
from taae.evaluation.robustness.config import Robustness
from taae.study.config import Ablation, Listening, Page, Statistics
from taae.study.tests import unaltered
from taae.training.config import TRUNK, Variant
from taae.utils.errors import TaaeError


@dataclass(frozen=True)
class Study:
    """A resolved study: `variants` and `ablations` are the selected ones, baseline included.

    `shard_hours` is of the corpus, and no part of it: shards change nothing in it.
    `trunk` is what variants with `training.start: trunk` begin with, if any does.
    `metrics` has the metrics of listening tests too.
    `tests` are the test sets beside the corpus's own test split.
    `download` is of `corpus` and `tests` together, and no part of them, since where the files came
    from changes nothing in them; `subsets` are of the corpus alone.
    `notes` say what the study does without, and are no warnings.
    """

    corpus: dict[str, Any]
    shard_hours: float
    tests: dict[str, TestSet]
    download: Download
    subsets: list[str]
    decoding: Decoding
    metrics: Metrics
    statistics: Statistics
    page: Page
    seeds: list[int]
    variants: dict[str, Variant]
    labels: dict[str, str]
    trunk: Variant | None
    ablations: dict[str, Ablation]
    bitrates: Bitrates
    lengths: Lengths
    robustness: Robustness
    listening: Listening
    codecs: dict[str, OtherCodec]
    warnings: list[str]
    notes: list[str]

    def points(self, variant: str) -> list[str]:
        """The operating points that a variant is decoded at, the native one first.

        A pretrained variant is decoded at all of them.
        """
        probed = any(
            variant in self.ablations[name].arms
            for name in self.bitrates.ablations
            if name in self.ablations
        )
        if probed or self.variants[variant].pretrained:
            return [NATIVE, *self.bitrates.points]
        return [NATIVE]

    def metrics_at(self, point: str) -> list[str]:
        """The metrics that speech decoded at an operating point is scored by."""
        return self.computed if point == NATIVE else self.bitrates.metrics

    def run_labels(
        self, variant: str, seed: int, point: str = NATIVE
    ) -> dict[str, str | int | float]:
        """What every row of a model's scores says, bitrate in bit/s."""
        return {
            "run": f"{variant}/seed{seed}",
            "variant": variant,
            "seed": seed,
            "bitrate": self.variant(variant).bitrate(point),
            "split": "test",
        }

    def seeds_of(self, variant: str) -> list[int]:
        """The seeds that a variant is run with; a pretrained one has no more than a number."""
        return self.seeds[:1] if self.variants[variant].pretrained else self.seeds

    def reference_of(self, test: str) -> str:
        """The test set whose speech the decoded speech of one is compared with."""
        clean = test in self.tests and self.tests[test].altered.reference == "clean"
        return unaltered(self.tests, test) if clean else test

    @property
    def computed(self) -> list[str]:
        """The metrics that are computed from audio, as all but listeners' ratings are."""
        return [name for name in self.metrics.names if not METRICS[name].rated]

    @property
    def trained(self) -> list[str]:
        """The variants that are trained, as all but pretrained ones are."""
        return [name for name, variant in self.variants.items() if not variant.pretrained]

    @property
    def seedless(self) -> set[str]:
        """What no seed of the study has an effect on: other codecs and pretrained variants."""
        return {*self.codecs, *self.variants} - set(self.trained)

    def probed(self) -> list[tuple[str, int, str]]:
        """Variant, seed and operating point of each run whose real bitrate is measured."""
        return [
            (variant, seed, point)
            for variant in self.variants
            if len(self.points(variant)) > 1
            for seed in self.seeds_of(variant)
            for point in self.points(variant)
        ]

    @property
    def cost_arms(self) -> list[str]:
        """The variants whose costs are measured: those of ablations of attention or model."""
        found = [
            arm
            for ablation in self.ablations.values()
            if any(key.split(".")[0] in ("attention", "model") for key in ablation.varies)
            for arm in ablation.arms
        ]
        return list(dict.fromkeys(found))

    @property
    def length_arms(self) -> list[str]:
        """The variants of the length study; none where its ablation is not run."""
        ablation = self.ablations.get(self.lengths.ablation)
        return ablation.arms if ablation and self.lengths.seconds else []

    @property
    def robustness_ablations(self) -> dict[str, Ablation]:
        """The ablations that are run whose arms are put through hard conditions."""
        chosen = self.robustness.ablations
        return {name: each for name, each in self.ablations.items() if name in chosen}

    @property
    def robustness_arms(self) -> list[str]:
        """Their arms, which may have references in common."""
        found = [arm for each in self.robustness_ablations.values() for arm in each.arms]
        return list(dict.fromkeys(found))

    def home_length(self, variant: str) -> float:
        """The length of the length study that is nearest to the segments of training.

        A pretrained variant takes the baseline's segments, since its own are not known.
        """
        segment = self.variant(variant).training.segment
        return min(self.lengths.seconds, key=lambda each: abs(math.log(each / segment)))

    def variant(self, name: str) -> Variant:
        """Return a selected variant by name, or the trunk."""
        if name == TRUNK and self.trunk:
            return self.trunk
        if name not in self.variants:
            raise TaaeError(f"no variant '{name}'; the study has {', '.join(self.variants)}")
        return self.variants[name]
