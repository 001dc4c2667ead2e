"""The figures of a study, each from its tables alone."""

from __future__ import annotations

import gc
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
from numpy.typing import NDArray

from taae.analysis.catalogue import figures
from taae.analysis.figures.ablations import coverage, forest, metrics, training
from taae.analysis.figures.codebook import codebook
from taae.analysis.figures.cost import cost
from taae.analysis.figures.lengths import lengths
from taae.analysis.figures.rate_distortion import rate_distortion
from taae.analysis.figures.spectrograms import spectrograms
from taae.analysis.figures.style import save, styled
from taae.analysis.figures.utterances import distributions, scatter
from taae.analysis.score_files import SCORE_COLUMNS, SCORE_TEXT
from taae.study.study import Study
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv

# Each takes the study, the name of an ablation where it is of one, and its tables in order.
KINDS: dict[str, Callable[..., matplotlib.figure.Figure]] = {
    "metrics": metrics,
    "forest": forest,
    "scatter": scatter,
    "distributions": distributions,
    "training": training,
    "coverage": coverage,
    "spectrograms": spectrograms,
    "rate-distortion": rate_distortion,
    "codebook": codebook,
    "lengths": lengths,
    "cost": cost,
}
# Columns that a table must have, so that another file in its place is told by its name.
COLUMNS = {
    "summary.csv": ["variant", "metric", "mean"],
    "comparisons.csv": ["ablation", "variant", "metric"],
    "scores.csv": SCORE_COLUMNS,
    "training.csv": ["variant", "seed", "step"],
    "coverage.csv": ["variant", "rate_hz"],
    "rate-distortion.csv": ["variant", "point"],
    "histogram.csv": ["variant", "point"],
    "lengths.csv": ["variant", "seconds"],
    "cost.csv": ["variant", "latency_ms"],
}


def plot(study: Study, tables: Path, folder: Path, names: Sequence[str] = ()) -> None:
    """Draw figures as PNG and PDF.

    Args:
        study: names the arms of the ablations.
        tables: folder of the tables.
        folder: of the figures.
        names: of the figures, such as cost or window/forest; all of the study where empty.

    Raises:
        TaaeError: a name is no figure of the study, or a table is missing or damaged.
    """
    found = {figure.name: figure for figure in figures(study)}
    for name in names:
        if name not in found:
            raise TaaeError(f"plot: no figure '{name}'; the study has {', '.join(found)}")
    read = cache(lambda name: _read(tables / name))
    # A figure is made of very many objects that die together: to look for the dead among them as
    # often as Python does takes a third of the time.
    usual = gc.get_threshold()
    gc.set_threshold(500_000)
    try:
        with styled():
            for name in names or found:
                figure = found[name]
                ablation = [figure.ablation] if figure.ablation else []
                content = [read(table) for table in figure.tables]
                save(KINDS[figure.kind](study, *ablation, *content), folder / name)
    finally:
        gc.set_threshold(*usual)


def _read(path: Path) -> Any:
    if path.suffix == ".npz":
        return read_arrays(path)
    return read_csv(path, COLUMNS[path.name], SCORE_TEXT if path.name == "scores.csv" else ())


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read what `taae.analysis.tables.spectra` has written."""
    try:
        with np.load(path) as content:
            return {name: content[name] for name in ("utterance", "labels", "hop", "top", "levels")}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TaaeError(f"{path}: not a table of spectrograms ({error})") from error
