"""A study: its config, resolved once into typed values. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taae import resolving
from taae.checks import check_study
from taae.errors import TaaeError
from taae.peers.spec import Peer
from taae.schema import merge, read_yaml, validate, with_defaults
from taae.sections import Ablation, Bitrates, Download, Lengths, Metrics, Statistics
from taae.stages import NATIVE
from taae.variant import Variant


@dataclass(frozen=True)
class Study:
    """A resolved study: `variants` and `ablations` are the selected ones, baseline included.

    `download` is no part of `corpus`, since where the files came from changes nothing in it.
    `notes` say what the study does without, and are no warnings.
    """

    corpus: dict[str, Any]
    download: Download
    decoding: dict[str, Any]
    metrics: Metrics
    statistics: Statistics
    seeds: list[int]
    variants: dict[str, Variant]
    ablations: dict[str, Ablation]
    bitrates: Bitrates
    lengths: Lengths
    codecs: dict[str, Peer]
    warnings: list[str]
    notes: list[str]

    @classmethod
    def resolve(cls, config: dict[str, Any]) -> Study:
        """Validate a config (overlays merged) and resolve it.

        Raises:
            TaaeError: one line that says which key is wrong and why.
        """
        validate(config)
        full = with_defaults(resolving.with_presets(config))
        corpus, download = resolving.corpus(full["corpus"])
        ablations = resolving.ablations(full)
        resolving.check_names(full)
        variants = resolving.variants(full, ablations)
        metrics, notes = resolving.metrics(full["metrics"])
        study = cls(
            corpus=corpus,
            download=download,
            decoding=full["decoding"],
            metrics=metrics,
            statistics=resolving.typed(Statistics, full["statistics"]),
            seeds=full["seeds"],
            variants=variants,
            ablations=ablations,
            bitrates=resolving.bitrates(full["bitrates"]),
            lengths=resolving.typed(Lengths, full["lengths"]),
            codecs=resolving.codecs(full["codecs"], variants),
            warnings=[],
            notes=notes,
        )
        study.warnings.extend(check_study(study))
        return study

    @classmethod
    def load(cls, paths: Iterable[Path]) -> Study:
        """Resolve config files laid over each other, as `snakemake --configfile` does."""
        config: dict[str, Any] = {}
        for path in paths:
            config = merge(config, read_yaml(Path(path)))
        return cls.resolve(config)

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

    def seeds_of(self, variant: str) -> list[int]:
        """The seeds that a variant is run with; a pretrained one has no more than a number."""
        return self.seeds[:1] if self.variants[variant].pretrained else self.seeds

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

    def variant(self, name: str) -> Variant:
        """Return a selected variant by name."""
        if name not in self.variants:
            raise TaaeError(f"no variant '{name}'; the study has {', '.join(self.variants)}")
        return self.variants[name]
