"""The figures of a study, each from its tables alone."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from taae.analysis.catalogue import figures
from taae.analysis.figures.ablations import forest, metrics, points, tests
from taae.analysis.figures.rate_distortion import rate_distortion
from taae.analysis.figures.robustness import robustness
from taae.analysis.figures.study import codebook, cost, coverage, lengths, spectrograms, training
from taae.analysis.figures.style import save, styled
from taae.analysis.figures.tests import means_on_tests
from taae.analysis.figures.utterances import distributions, scatter
from taae.analysis.figures.verdicts import verdicts
from taae.analysis.run_files import read_table
from taae.study.study import Study
from taae.utils.errors import TaaeError

# Each takes the study, the name of an ablation where it is of one, and its tables in order.
OF_ABLATIONS: dict[str, Callable[..., Figure]] = {
    draw.__name__: draw for draw in (metrics, forest, points, scatter, tests, robustness)
}
OF_ALL: dict[str, Callable[..., Figure]] = {
    "rate-distortion": rate_distortion,
    "tests": means_on_tests,
    **{each.__name__: each for each in (distributions, training, coverage, spectrograms)},
    **{each.__name__: each for each in (codebook, lengths, cost, verdicts)},
}


def plot(study: Study, tables: Path, folder: Path, names: Sequence[str] = ()) -> None:
    """Draw figures as PNG and PDF from a folder of tables into another one.

    `names` are such as cost or window/forest; all figures of the study where empty.
    """
    found = {figure.name: figure for figure in figures(study)}
    for name in names:
        if name not in found:
            raise TaaeError(f"plot: no figure '{name}'; the study has {', '.join(found)}")
    read = cache(lambda name: read_content(tables / name))
    with styled():
        for name in names or found:
            figure = found[name]
            ablation = [figure.ablation] if figure.ablation else []
            content = [read(table) for table in figure.tables]
            draw = (OF_ABLATIONS if ablation else OF_ALL)[figure.kind]
            save(draw(study, *ablation, *content), folder / name)


def read_content(path: Path) -> Any:
    """Read a CSV, or the arrays that `taae.analysis.tables.spectra` has written."""
    if path.suffix == ".csv":  # every table has variants: another file in its place is told
        return read_table(path, ["variant"])
    try:
        with np.load(path) as content:
            return {name: content[name] for name in ("utterance", "labels", "hop", "top", "levels")}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TaaeError(f"{path}: not a table of spectrograms ({error})") from error
