"""One figure of a study from its tables: which table each figure is drawn from."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from taae.analysis.figures import ablations as figures
from taae.analysis.figures import utterances
from taae.analysis.figures.codebook import codebook_figure
from taae.analysis.figures.cost import cost_figure
from taae.analysis.figures.lengths import length_figure
from taae.analysis.figures.rate_distortion import rate_distortion_figure
from taae.analysis.figures.spectrograms import plot_spectra
from taae.analysis.tables.scores import collect
from taae.study.study import Study
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv


def plot(figure: str, study: Study, tables: Path, stem: Path, ablation: str | None = None) -> None:
    """Draw `figure`, one of the choices of `taae plot`, as PNG and PDF.

    Args:
        study: names the arms of the ablations.
        tables: folder of the tables.
        stem: path without its suffix.
        ablation: which one, for metrics, forest and scatter.
    """
    if figure in ("metrics", "forest", "scatter"):
        if ablation not in study.ablations:
            known = ", ".join(study.ablations)
            raise TaaeError(f"plot {figure}: --ablation '{ablation}' is none of {known}")
        if figure == "scatter":
            utterances.scatter_figure(ablation, study, collect([tables / "scores.csv"]), stem)
            return
        comparisons = _table(tables, "comparisons", "ablation")
        if figure == "forest":
            figures.forest_figure(ablation, study, comparisons, stem)
        else:
            summary = _table(tables, "summary", "metric")
            figures.ablation_figure(ablation, study, summary, comparisons, stem)
    elif figure == "distributions":
        utterances.distribution_figure(study, collect([tables / "scores.csv"]), stem)
    elif figure == "training":
        figures.training_curves(_table(tables, "training", "seed"), stem)
    elif figure == "coverage":
        figures.coverage_figure(_table(tables, "coverage", "variant"), stem)
    elif figure == "rate-distortion":
        rate_distortion_figure(_table(tables, "rate-distortion", "point"), stem)
    elif figure == "codebook":
        codebook_figure(_table(tables, "histogram", "point"), study.seeds[0], stem)
    elif figure == "cost":
        cost_figure(_table(tables, "cost", "latency_ms"), stem)
    elif figure == "lengths":
        length_figure(_table(tables, "lengths", "seconds"), study, stem)
    else:
        plot_spectra(tables / "spectra.npz", stem)


def _table(folder: Path, name: str, column: str) -> pd.DataFrame:
    return read_csv(folder / f"{name}.csv", [column])
