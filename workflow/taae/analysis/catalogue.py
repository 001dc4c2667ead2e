"""The tables and figures of a study: what there is, and from which tables each is drawn."""

from __future__ import annotations

from typing import NamedTuple

from taae.study.study import Study

TABLES = ["scores", "comparisons", "findings", "bitrates", "lengths", "cost", "training"]
TABLES += ["provenance", "spectra", "tests", "robustness"]


class Figure(NamedTuple):
    """A figure; its caption is in workflow/report, under the name of its kind.

    `kind` is one of those in `taae.analysis.figures.draw`, `tables` are names in results/tables,
    `category` is of the report, and `ablation` is empty where it is of the whole study.
    """

    kind: str
    tables: tuple[str, ...]
    category: str = "Study"
    ablation: str = ""

    @property
    def name(self) -> str:
        """Its path in results/figures, without .png and .pdf."""
        return f"{self.ablation}/{self.kind}" if self.ablation else self.kind


def figures(study: Study) -> list[Figure]:
    """Return the figures of a study: of its ablations, of the whole, and of what it measures."""
    found = [Figure("verdicts", ("findings.csv",))] if study.ablations else []
    for ablation in study.ablations:
        tables = ("summary.csv", "comparisons.csv")
        found.append(Figure("metrics", tables, "Ablations", ablation))
        found.append(Figure("forest", ("comparisons.csv",), "Ablations", ablation))
        found.append(Figure("scatter", ("scores.csv",), "Ablations", ablation))
        if study.probed() and ablation in study.bitrates.ablations:
            found.append(Figure("points", ("points.csv",), "Ablations", ablation))
        if study.tests:
            found.append(Figure("tests", ("tests-comparisons.csv",), "Ablations", ablation))
        if ablation in study.robustness_ablations:
            tables = ("robustness.csv", "robustness-comparisons.csv")
            found.append(Figure("robustness", tables, "Ablations", ablation))
    found.append(Figure("distributions", ("scores.csv",)))
    found.append(Figure("spectrograms", ("spectra.npz",)))
    if study.tests and study.ablations:
        found.append(Figure("tests", ("tests.csv",)))
    if study.trained:
        found.append(Figure("training", ("training.csv",)))
        found.append(Figure("coverage", ("coverage.csv",)))
    if study.probed():
        found.append(Figure("rate-distortion", ("rate-distortion.csv", "summary.csv"), "Bitrates"))
        found.append(Figure("codebook", ("histogram.csv",), "Bitrates"))
    if study.length_arms:
        found.append(Figure("lengths", ("lengths.csv", "lengths-comparisons.csv"), "Ablations"))
    if study.cost_arms:
        found.append(Figure("cost", ("cost.csv",)))
    return found
