"""How every figure looks, and how it is saved: the same data give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
from fontTools import subset
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from taae.evaluation.metrics import METRICS
from taae.utils.files import atomic

COLUMN, PAGE = 3.5, 7.16  # inches: a column and the text width of a two-column paper
DPI = 150
LEGEND_ROWS = 9  # that fit into a panel

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
# Colours and markers of arms: 24 arms look different.
LOOKS = tuple(
    (colour, marker) for marker in "o^sD" for colour in (BLUE, ORANGE, GREEN, RED, SKY, GREY)
)

_RC: dict[Any, Any] = {
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.titley": 1.0,  # no search for a place above labels on top of the axes: there are none
    "axes.labelsize": 7,
    "figure.titlesize": 8,
    "figure.labelsize": 7,
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
    "lines.markersize": 4,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "text.parse_math": False,  # a dollar in a title is a dollar
    "pdf.fonttype": 42,  # TrueType: text in the PDF stays text
}
FONT = "DejaVu Sans"  # ships with matplotlib: the same on every machine
PART = f"{FONT} (part)"
# What figures say but for names and titles in other scripts than Latin.
CHARACTERS = {*map(chr, range(0x20, 0x180)), *"–−↑↓±≥≤"}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the study's style, whatever the user's matplotlibrc says."""
    fonts = font_manager.fontManager.ttflist
    known = len(fonts)
    with TemporaryDirectory() as folder, mpl.rc_context():
        mpl.rcdefaults()
        try:
            for weight in ("normal", "bold"):
                _add_part(Path(folder) / f"{weight}.ttf", weight)
            mpl.rcParams.update(_RC | {"font.family": PART})
            yield
        finally:
            del fonts[known:]


def _add_part(path: Path, weight: str) -> None:
    """Write a part of the font to `path` and make it known to matplotlib.

    A PDF embeds the characters that it uses. To choose them from the whole font takes a tenth of a
    second, as long as to draw the figure.
    """
    whole = font_manager.findfont(font_manager.FontProperties(family=FONT, weight=weight))
    options = subset.Options(
        drop_tables=["FFTM", "GDEF", "GPOS", "GSUB", "MATH", "kern"], name_IDs=["*"], hinting=True
    )
    font = subset.load_font(whole, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(CHARACTERS))
    subsetter.subset(font)
    for record in font["name"].names:
        if record.nameID in (1, 16):  # the family
            record.string = PART
    font.save(path)
    font_manager.fontManager.addfont(path)


def panels(
    count: int, columns: int, width: float, row_height: float, extra: float, sharey: bool = False
) -> tuple[Figure, list[Axes], list[Axes]]:
    """Return a figure with a grid of axes: the first `count`, and the left-over ones, hidden.

    `row_height` and `extra` (for titles and legends) are in inches.
    """
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(width, rows * row_height + extra), dpi=DPI, layout="constrained")
    grid = figure.subplots(rows, columns, sharey=sharey, squeeze=False)
    axes = list(grid.flat)
    if sharey:
        for axis in grid[:, 1:].flat:  # their rows are those of the first column
            axis.yaxis.set_visible(False)
    for spare in axes[count:]:
        spare.set_axis_off()
    return figure, axes[:count], axes[count:]


def arm_rows(axis: Axes, names: Sequence[str]) -> None:
    """Make every row of an axis an arm, the first at the top."""
    if axis.yaxis.get_visible():
        axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=True, axis="x")


def title(figure: Figure, *lines: str) -> None:
    """Write the title of a figure, and below it how to read the figure."""
    figure.suptitle("\n".join(lines), x=0.01, ha="left")


def handle(label: str, colour: str, marker: str = "o", solid: bool = True, **look: Any) -> Line2D:
    """Return a mark of a legend; without a line unless `look` has a linestyle."""
    face = colour if solid else "white"
    look = {"linestyle": "", "label": label, "color": colour, "markerfacecolor": face} | look
    return Line2D([], [], marker=marker, **look)


def legend(figure: Figure, spare: Sequence[Axes], handles: Sequence[Artist]) -> None:
    """Put the legend over the left-over panels, or below all where it finds no room there."""
    columns = math.ceil(len(handles) / LEGEND_ROWS)
    if columns == 1 <= len(spare):
        spare[-1].legend(handles=handles, loc="center")
    elif columns <= len(spare):  # one column over each panel
        spare[0].legend(handles=handles, loc="center left", ncols=columns).set_in_layout(False)
    else:
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5))


def metric_title(axis: Axes, name: str, **look: Any) -> None:
    """Write a metric's label with its unit and the direction of better over a panel."""
    metric = METRICS[name]
    unit = f" ({metric.unit})" if metric.unit else ""
    axis.set_title(f"{metric.label}{unit} {metric.arrow}", loc="left", **look)


def save(figure: Figure, stem: Path) -> None:
    """Write `stem`.png and `stem`.pdf without a date or a version inside.

    The layout is found once, without what is empty: `Figure.savefig` finds it twice for each file.
    """
    png = FigureCanvasAgg(figure)
    for text in figure.findobj(Text):
        if not CHARACTERS.issuperset(text.get_text().replace("\n", "")):
            text.set_fontfamily([PART, FONT])
    for axes in figure.axes:
        axes.spines[:].set_in_layout(False)
        for axis in (axes.xaxis, axes.yaxis):
            if not axis.get_label_text():
                axis.set_label_coords(0, 0)
    engine = figure.get_layout_engine()
    if engine:
        engine.execute(figure)
        figure.set_layout_engine("none")
    with atomic(stem.with_name(f"{stem.name}.png")) as path:
        png.print_png(path, metadata={"Software": None}, pil_kwargs={"compress_level": 3})
    with atomic(stem.with_name(f"{stem.name}.pdf")) as path:
        pdf = FigureCanvasPdf(figure)
        pdf.print_pdf(path, metadata={"CreationDate": None})
