"""Figure of every metric against the bitrate, with the other codecs and published values."""

from __future__ import annotations

from itertools import cycle
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taae.analysis.figures.style import (
    BLACK,
    GREY,
    LOOKS,
    PAGE,
    handle,
    legend,
    metric_title,
    panels,
    title,
)
from taae.codec.operating_points import NATIVE
from taae.study.study import Study

PUBLISHED_ON = "LibriSpeech test-clean"


class Published(NamedTuple):
    """A value that a paper reports; `sure` where its definition of the metric is known."""

    codec: str
    bitrate: float
    metric: str
    value: float
    sure: bool = True


# arXiv 2411.19842, tables on LibriSpeech test-clean. It does not say which PESQ it means; the
# values are very probably the narrow-band ones.
PUBLISHED = (
    Published("TAAE", 400, "si_sdr", 3.18),
    Published("TAAE", 400, "pesq_nb", 2.96, sure=False),
    Published("TAAE", 400, "stoi", 0.90),
    Published("TAAE", 700, "si_sdr", 4.73),
    Published("TAAE", 700, "mel_distance", 0.86),
    Published("TAAE", 700, "stft_distance", 1.26),
    Published("TAAE", 700, "pesq_nb", 3.09, sure=False),
    Published("TAAE", 700, "stoi", 0.92),
    Published("Mimi", 1100, "si_sdr", 2.20),
    Published("Mimi", 1100, "pesq_nb", 3.01, sure=False),
    Published("Mimi", 1100, "stoi", 0.90),
    Published("DAC", 1000, "si_sdr", -6.51),
    Published("DAC", 1000, "pesq_nb", 1.64, sure=False),
)
COLUMNS = 4
VARIANTS = ((BLACK, "o"), *(look for look in LOOKS if GREY not in look))
CODECS = ("#555555", "pvhd")  # colour and markers of the other codecs
MARKERS = {"TAAE": "*", "Mimi": "P", "DAC": "X"}  # of published values
# Numbers of marks at nearly one bitrate stand side by side.
ALIGNED = {"TAAE": "center", "Mimi": "left", "DAC": "right"}


def rate_distortion(study: Study, points: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw each metric against bits per second: a panel per metric, a line per variant.

    The point of the training is filled, the points of a quantizer changed afterwards are hollow.
    The first variant is black and on top. Variants and other codecs rule the axes: a published
    value beyond them stands at the edge, with its number.

    Args:
        study: names the other codecs.
        points: a row per variant, operating point and metric with the columns variant, point,
            bitrate (bit/s), metric, mean, low, high and confidence.
        summary: the same of the other codecs, among others, without a point.
    """
    metrics = list(points["metric"].unique())
    looks = dict(zip(points["variant"].unique(), cycle(VARIANTS), strict=False))
    measured = summary[summary["variant"].isin(study.codecs)].dropna(subset=["bitrate", "mean"])
    measured = measured[measured["metric"].isin(metrics)]
    colour, markers = CODECS
    codecs = dict(zip(measured["variant"].unique(), cycle(markers), strict=False))
    published = [mark for mark in PUBLISHED if mark.metric in metrics]
    figure, axes, spare = panels(len(metrics), COLUMNS, PAGE, 1.3, 1.0)
    for axis, metric in zip(axes, metrics, strict=True):
        rows = points[points["metric"] == metric]
        for variant, look in reversed(looks.items()):
            _line(axis, rows[rows["variant"] == variant], *look)
        for codec, marker in codecs.items():
            row = measured[(measured["variant"] == codec) & (measured["metric"] == metric)]
            axis.vlines(row["bitrate"], row["low"], row["high"], color=colour, linewidth=0.8)
            axis.plot(row["bitrate"], row["mean"], marker, color=colour, zorder=4)
        for mark in published:
            if mark.metric == metric:
                _published(axis, mark)
        axis.set_xscale("log")
        axis.grid(visible=True)
        metric_title(axis, metric)
    _ticks(axes, [*points["bitrate"], *measured["bitrate"], *(mark.bitrate for mark in published)])
    for axis in axes[-COLUMNS:]:  # the lowest of each column
        axis.set_xlabel("bit/s")
    named = dict.fromkeys(mark.codec for mark in published)
    handles = [
        *(handle(variant, *look, ms=3.5, ls="-") for variant, look in looks.items()),
        *(handle(codec, colour, marker) for codec, marker in codecs.items()),
        *(handle(f"{codec}, published", GREY, MARKERS[codec], ms=5) for codec in named),
    ]
    legend(figure, spare, handles)
    lines = [
        "Rate and distortion: mean over speakers with its"
        f" {points['confidence'].iloc[0]:.0%} interval",
        "filled: quantizer of the training, at its nominal bitrate; hollow: changed afterwards",
    ]
    if published:
        lines.append(
            f"grey: published, on {PUBLISHED_ON}, so other data and training;"
            " with a number: beyond the panel"
        )
    if not all(mark.sure for mark in published):
        lines[-1] += "; hollow grey: band of PESQ not stated"
    title(figure, *lines)
    return figure


def _line(axis: Axes, rows: pd.DataFrame, colour: str, marker: str) -> None:
    rows = rows.sort_values("bitrate")
    axis.plot(rows["bitrate"], rows["mean"], color=colour, linewidth=0.8, zorder=2)
    axis.vlines(rows["bitrate"], rows["low"], rows["high"], color=colour, linewidth=0.8, zorder=2)
    native = rows["point"] == NATIVE
    for which, face in ((native, colour), (~native, "white")):
        shown = rows[which]
        look: dict[str, Any] = {"color": colour, "markerfacecolor": face, "ms": 3.5, "zorder": 3}
        axis.plot(shown["bitrate"], shown["mean"], marker, **look)


def _published(axis: Axes, mark: Published) -> None:
    """Draw a published value, at the edge of the panel where it is beyond."""
    low, high = axis.get_ylim()
    axis.set_ylim(low, high)  # as the rows that are drawn have made it
    look: dict[str, Any] = {
        "color": GREY,
        "ms": 5,
        "markerfacecolor": GREY if mark.sure else "white",
    }
    value = min(max(mark.value, low), high)
    axis.plot(mark.bitrate, value, MARKERS[mark.codec], clip_on=False, **look)
    if value != mark.value:
        above = mark.value > high
        axis.annotate(
            f"{mark.value:g}",
            (mark.bitrate, value),
            xytext=(0, -4 if above else 4),
            textcoords="offset points",
            rotation=90,
            ha=ALIGNED[mark.codec],
            va="top" if above else "bottom",
            fontsize=5.5,
            color=GREY,
        )


def _ticks(axes: list[Axes], rates: list[float]) -> None:
    """Give every panel the same span and 1-2-5 ticks in plain numbers."""
    low, high = min(rates) / 1.25, max(rates) * 1.25
    ticks = [
        digit * 10.0**power
        for power in range(1, 6)
        for digit in (1, 2, 5)
        if low <= digit * 10.0**power <= high
    ]
    for axis in axes:
        axis.set_xlim(low, high)
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_xticks([], minor=True)
