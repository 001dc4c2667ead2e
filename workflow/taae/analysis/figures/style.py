"""How every figure looks, and how it is saved: the same data give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taae.evaluation.metrics import METRICS
from taae.utils.files import atomic

COLUMN, PAGE = 3.5, 7.16  # inches: a column and the text width of a two-column paper

# Okabe & Ito (2008), told apart with every common colour blindness.
BLACK, ORANGE, SKY, GREEN, BLUE, RED = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
)
GREY, FAINT, PALE = "#8C8C8C", "#D0D0D0", "#EAF3EE"

_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same on every machine
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "pdf.fonttype": 42,  # TrueType: text in the PDF stays text
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the study's style, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def panels(
    count: int, columns: int, width: float, row_height: float, extra: float, sharey: bool = False
) -> tuple[Figure, list[Axes], list[Axes]]:
    """Return a figure with a grid of axes: the first `count`, and the left-over ones, hidden.

    `row_height` and `extra` (for titles and legends) are in inches.
    """
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(width, rows * row_height + extra), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=sharey, squeeze=False)
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.set_axis_off()
    return figure, axes[:count], axes[count:]


def metric_title(name: str) -> str:
    """Return a metric's label with its unit and the direction of better."""
    metric = METRICS[name]
    unit = f" ({metric.unit})" if metric.unit else ""
    return f"{metric.label}{unit} {metric.arrow}"


def save(figure: Figure, stem: Path) -> None:
    """Write `stem`.png (150 dpi) and `stem`.pdf without a date or a version inside."""
    formats = {".png": {"Software": None}, ".pdf": {"CreationDate": None}}
    for suffix, metadata in formats.items():
        with atomic(stem.with_name(stem.name + suffix)) as path:
            figure.savefig(path, dpi=150, metadata=metadata)
