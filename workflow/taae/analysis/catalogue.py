"""The figures of a study: what there is, and from which tables each is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from taae.study.study import Study


@dataclass(frozen=True)
class Figure:
    """A figure. Its caption is in workflow/report, under the name of its kind.

    Args:
        kind: one of those in `taae.analysis.figures.draw`.
        tables: names in results/tables.
        label: what the report calls it.
        category: of the report.
        ablation: which one it is of; empty where it is of the whole study.
    """

    kind: str
    tables: tuple[str, ...]
    label: str
    category: str = "Study"
    ablation: str = ""

    @property
    def name(self) -> str:
        """Its path in results/figures, without .png and .pdf."""
        return f"{self.ablation}/{self.kind}" if self.ablation else self.kind


def figures(study: Study) -> list[Figure]:
    """Return the figures of a study: of its ablations, of the whole, and of what it measures."""
    found = [
        Figure(kind, tables, label, "Ablations", ablation)
        for ablation in study.ablations
        for kind, tables, label in (
            ("metrics", ("summary.csv", "comparisons.csv"), "metrics"),
            ("forest", ("comparisons.csv",), "differences"),
            ("scatter", ("scores.csv",), "utterances"),
        )
    ]
    found.append(Figure("distributions", ("scores.csv",), "distributions"))
    found.append(Figure("spectrograms", ("spectra.npz",), "spectrograms"))
    if study.trained:
        found.append(Figure("training", ("training.csv",), "training"))
        found.append(Figure("coverage", ("coverage.csv",), "coverage"))
    if study.probed():
        rates = ("rate-distortion.csv", "summary.csv")
        found.append(Figure("rate-distortion", rates, "rate and distortion", "Bitrates"))
        found.append(Figure("codebook", ("histogram.csv",), "codebook", "Bitrates"))
    if study.length_arms:
        label = "length generalisation"
        found.append(Figure("lengths", ("lengths.csv",), label, "Ablations"))
    if study.cost_arms:
        found.append(Figure("cost", ("cost.csv",), "cost"))
    return found
