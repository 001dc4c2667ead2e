"""How every figure looks, and how it is saved: the same data give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from taae.evaluation.metrics import METRICS
from taae.utils.files import atomic

PAGE = 7.16  # inches: the text width of a two-column paper
# Inches: around panels, a line of text, a title over panels, labels below them, between their rows.
MARGIN, LINE, TITLE, TICKS, GAP = 0.12, 0.14, 0.26, 0.4, 0.44
COLUMNS = 4  # of panels
DPI = 150
FONT = "DejaVu Sans"  # ships with matplotlib: the same on every machine
TEXT, HEADING, TICK, LARGE = 7.0, 7.5, 6.5, 8.4  # points: text, panel titles, ticks, lines on top
NUMBERS = 0.3  # inches: what the numbers of a y axis take, about
KEY = 0.42  # inches: the mark of an entry of a legend, and the space around it

# Okabe & Ito (2008), told apart with every common colour blindness.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, RED = "#0072B2", "#D55E00"
GREY, FAINT, PALE, ASIDE = "#8C8C8C", "#D0D0D0", "#EAF3EE", "#F4F4F4"
# Colours and markers of arms: 24 arms look different.
LOOKS = [(colour, marker) for marker in "o^sD" for colour in (BLUE, ORANGE, GREEN, RED, SKY, GREY)]

_RC: dict[Any, Any] = {
    "font.family": FONT,
    "font.size": TEXT,
    "axes.titlesize": HEADING,
    "figure.titlesize": LARGE,
    "axes.titley": 1.0,  # no search for a place above labels on top of the axes: there are none
    "xtick.labelsize": TICK,
    "ytick.labelsize": TICK,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "pdf.fonttype": 42,  # publishers refuse matplotlib's own Type 3
    "text.parse_math": False,  # a dollar in a title is a dollar
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the study's style, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def headings(metrics: Iterable[str]) -> dict[str, str]:
    """Return what stands over the panels of metrics."""
    return {metric: METRICS[metric].heading for metric in metrics}


def panels(
    titles: Mapping[str, str],
    height: float,
    columns: int = COLUMNS,
    sharey: bool = False,
    xlabel: str = "",
    ylabel: str = "",
    rows: Sequence[str] = (),
) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with a panel for each name in `titles`; left-over ones are hidden.

    There are at most `columns` side by side, fewer where a title would meet the next one, each
    `height` inches high; with `sharey` the rows of all are the rows of the first column, which may
    be named before in `rows`. The lowest of each column has the label of the x axis, the first of
    each row the label of the y axis.
    """
    widest = max((width(title, HEADING) for title in titles.values()), default=0.0)
    left = 2 * MARGIN + max((width(name, TICK) for name in rows), default=NUMBERS)
    between = 2 * MARGIN + (0 if sharey else NUMBERS)
    columns = min(columns, len(titles))
    while columns > 1 and _panel_width(columns, left, between) < widest:
        columns -= 1
    count = math.ceil(len(titles) / columns)
    figure = Figure(figsize=(PAGE, count * height + (count - 1) * GAP), dpi=DPI)
    axes = figure.subplots(count, columns, sharey=sharey, squeeze=False).flat
    found = dict(zip(titles, axes, strict=False))
    for place, (name, axis) in enumerate(found.items()):
        axis.set_title(titles[name], loc="left")
        if place + columns >= len(titles):
            axis.set_xlabel(xlabel)
        if place % columns == 0:
            axis.set_ylabel(ylabel)
        elif sharey:
            axis.yaxis.set_visible(False)
    for spare in figure.axes[len(titles) :]:
        spare.set_axis_off()
    return figure, found


def width(text: str, size: float = TEXT) -> float:
    """Return the width of a line of text in inches."""
    font = FontProperties(family=FONT, size=size)
    points, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(points) / 72


def wrapped(line: str, room: float = PAGE - 2 * MARGIN) -> list[str]:
    """Return a line on top of a figure as lines that fit the page."""
    lines = [""]
    for word in line.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width(longer, LARGE) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def explain(figure: Figure, *lines: str) -> Figure:
    """Write a title and how to read the figure, add a legend, and make room for all of it.

    The legend has every label once, over left-over panels or below all. The layouts of matplotlib
    would measure all that is drawn, and twice; here room depends on the labels of y axes alone.
    """
    found = [axis.get_legend_handles_labels() for axis in figure.axes]
    legend = {name: mark for marks, names in found for mark, name in zip(marks, names, strict=True)}
    renderer = FigureCanvasAgg(figure).get_renderer()
    left, between = MARGIN, 2 * MARGIN
    for axis in figure.axes:
        for side in (axis.xaxis, axis.yaxis):
            if not side.get_label_text():
                side.set_label_coords(0, 0)  # or its place would be looked for at each drawing
        grid: Any = axis.get_subplotspec()
        box = axis.yaxis.get_tightbbox(renderer) if axis.axison else None
        room = (axis.bbox.x0 - box.x0) / DPI if box else 0.0
        if grid.is_first_col():
            left = max(left, MARGIN + room)
        else:
            between = max(between, 2 * MARGIN + room)
    rows, columns, *_ = grid.get_geometry()
    inside = figure.get_figheight()
    high, wide = (inside - (rows - 1) * GAP) / rows, _panel_width(columns, left, between)
    bottom = TICKS + _legend(figure, legend, high, wide + between)
    texts = [part for line in lines for part in wrapped(line)]
    top = MARGIN + LINE * len(texts) + TITLE
    height = bottom + inside + top
    figure.set_figheight(height)
    figure.suptitle("\n".join(texts), x=MARGIN / PAGE, y=1 - MARGIN / height, ha="left", va="top")
    figure.subplots_adjust(
        left=left / PAGE,
        right=1 - 2 * MARGIN / PAGE,
        bottom=bottom / height,
        top=1 - top / height,
        wspace=between / wide,
        hspace=GAP / high,
    )
    return figure


def _panel_width(columns: int, left: float, between: float) -> float:
    """Return the width of panels in inches, with that much room beside the first and the others."""
    return (PAGE - left - 2 * MARGIN - (columns - 1) * between) / columns


def _legend(figure: Figure, legend: Mapping[str, Any], high: float, wide: float) -> float:
    """Add a legend and return the room that it takes below the panels, in inches.

    It stands over left-over panels, `high` and `wide` each, where it fits.
    """
    if not legend:
        return 0.0
    entries: dict[str, Any] = {"labels": list(legend), "handles": list(legend.values())}
    entry = KEY + max(width(name) for name in legend)
    spare = [axis for axis in figure.axes if not axis.axison]
    columns = math.ceil(len(legend) / max(1, int(high / LINE)))
    if columns * entry <= len(spare) * wide:
        spare[0].legend(**entries, loc="center left", ncols=columns, borderaxespad=0)
        return 0.0
    columns = max(1, min(5, int((PAGE - 2 * MARGIN) / entry)))
    figure.legend(**entries, loc="lower center", ncols=columns)
    return 0.1 + LINE * math.ceil(len(legend) / columns)


def interval(table: pd.DataFrame) -> str:
    """Return what the intervals of a table are, in words."""
    known = table.dropna(subset="low")
    if known.empty:
        return "no interval (one speaker)"
    scope = ", ".join(known["scope"].unique())
    speakers = known["n_speakers"].max()
    return f"{known['confidence'].iloc[0]:.0%} interval ({speakers} speakers, {scope})"


def filled(table: pd.DataFrame, what: str = "differ") -> str:
    """Return what a filled point means, in words: of trainings, or of these checkpoints."""
    if table["scope"].astype(str).str.startswith("over").any():
        return f"filled: arms {what} beyond what training does by chance (Holm)"
    return f"filled: these checkpoints {what} (Holm); other trainings may not"


def better_side(axis: Axes, better: int) -> None:
    """Shade the side of 0 of the y axis on which a difference is better."""
    low, high = axis.get_ylim()
    low, high = min(low, -0.1 * high), max(high, -0.1 * low)  # both sides are seen
    end = high if better > 0 else low
    axis.axhspan(0, end, color=PALE, zorder=0, label="better")
    axis.set_ylim(low, high)


def limits(own: Iterable[float], others: Iterable[float] = ()) -> tuple[float, float]:
    """Return the ends of an axis that holds `own` values, and each of `others` that is near.

    Near is what lies no further away than `own` values reach: what is further would flatten them,
    and belongs to the edge.
    """
    own, others = ([each for each in some if math.isfinite(each)] for some in (own, others))
    own = own or others or [0.0]
    low, high = min(own), max(own)
    span = (high - low) or abs(high) or 1.0
    near = [value for value in others if low - span <= value <= high + span]
    low, high = min([low, *near]), max([high, *near])
    margin = 0.05 * ((high - low) or span)
    return low - margin, high + margin


def looks(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the colour and the marker of each arm."""
    return dict(zip(names, cycle(LOOKS), strict=False))


def arm_rows(axis: Axes, names: Sequence[str]) -> None:
    """Make every row of an axis an arm, the first at the top."""
    if axis.yaxis.get_visible():
        axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=True, axis="x")


def save(figure: Figure, stem: Path) -> None:
    """Write `stem`.png and `stem`.pdf without a date or a version inside."""
    with atomic(stem.with_name(f"{stem.name}.png")) as path:
        look: dict[str, Any] = {"pil_kwargs": {"compress_level": 3}}
        FigureCanvasAgg(figure).print_png(path, metadata={"Software": None}, **look)
    with atomic(stem.with_name(f"{stem.name}.pdf")) as path:
        FigureCanvasPdf(figure).print_pdf(path, metadata={"CreationDate": None})
