"""Figure of every metric against the bitrate, with the other codecs and published values."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taae.analysis.figures import style
from taae.codec.operating_points import NATIVE
from taae.study.study import Study

# Values by codec and bit/s: arXiv 2411.19842, tables on LibriSpeech test-clean.
PUBLISHED = {
    ("TAAE", 400): {"si_sdr": 3.18, "pesq_nb": 2.96, "stoi": 0.90},
    ("TAAE", 700): {
        **{"si_sdr": 4.73, "pesq_nb": 3.09, "stoi": 0.92},
        **{"mel_distance": 0.86, "stft_distance": 1.26},
    },
    ("Mimi", 1100): {"si_sdr": 2.20, "pesq_nb": 3.01, "stoi": 0.90},
    ("DAC", 1000): {"si_sdr": -6.51, "pesq_nb": 1.64},
}
UNSURE = "pesq_nb"  # the paper does not say which PESQ it means; very probably this one
# Of published values: a marker, and the side on which numbers at nearly one bitrate stand.
MARKS = {"TAAE": ("*", "center"), "Mimi": ("P", "left"), "DAC": ("X", "right")}
VARIANTS = ((style.BLACK, "o"), *(look for look in style.LOOKS if style.GREY not in look))
CODECS = ("#555555", "pvhd")  # colour and markers of the other codecs


def rate_distortion(study: Study, points: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw each metric against bits per second: a panel per metric, a line per variant.

    The point of the training is filled, the points of a quantizer changed afterwards are hollow.
    The first variant is black and on top. Variants and other codecs rule the axes: a published
    value beyond them stands at the edge, with its number.
    """
    metrics = list(points["metric"].unique())
    looks = dict(zip(points["variant"].unique(), cycle(VARIANTS), strict=False))
    measured = summary[summary["variant"].isin(study.codecs) & summary["metric"].isin(metrics)]
    measured = measured.dropna(subset=["bitrate", "mean"])
    colour, markers = CODECS
    codecs = dict(zip(measured["variant"].unique(), cycle(markers), strict=False))
    published = {mark: values for mark, values in PUBLISHED.items() if {*values} & {*metrics}}
    rates = [*points["bitrate"], *measured["bitrate"], *(rate for _, rate in published)]
    low, high = min(rates) / 1.25, max(rates) * 1.25
    ticks = [digit * 10**power for power in range(1, 6) for digit in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    figure, axes = style.panels(style.headings(metrics), 0.95, xlabel="bit/s")
    for metric, axis in axes.items():
        rows = points[points["metric"] == metric]
        for place, (variant, (shade, marker)) in enumerate(looks.items()):
            line = rows[rows["variant"] == variant].sort_values("bitrate")
            _line(axis, line, shade, marker, zorder=3 - place / len(looks))
        rows = measured[measured["metric"] == metric]
        axis.vlines(rows["bitrate"], rows["low"], rows["high"], color=colour, linewidth=0.8)
        for codec, bitrate, mean in zip(
            rows["variant"], rows["bitrate"], rows["mean"], strict=True
        ):
            axis.plot(bitrate, mean, codecs[codec], color=colour, zorder=4, label=codec)
        for (codec, rate), values in published.items():
            if metric in values:
                _published(axis, codec, rate, values[metric], metric != UNSURE)
        axis.set_xscale("log")
        axis.set_xlim(low, high)
        axis.set_xticks(ticks, [f"{tick}" for tick in ticks])
        axis.minorticks_off()
        axis.grid(visible=True)
    lines = [
        "Rate and distortion: mean over speakers with its"
        f" {points['confidence'].iloc[0]:.0%} interval",
        "filled: quantizer of the training, at its nominal bitrate; hollow: changed afterwards",
    ]
    if published:
        lines.append(
            "grey: published, on LibriSpeech test-clean, so other data and training;"
            " with a number: beyond the panel"
        )
    if published and UNSURE in metrics:
        lines[-1] += "; hollow grey: band of PESQ not stated"
    return style.explain(figure, *lines)


def _line(axis: Axes, rows: pd.DataFrame, colour: str, marker: str, zorder: float) -> None:
    look: dict[str, Any] = {"color": colour, "linewidth": 0.8, "zorder": zorder}
    axis.vlines(rows["bitrate"], rows["low"], rows["high"], **look)
    look |= {"marker": marker, "ms": 3.5}
    axis.plot(rows["bitrate"], rows["mean"], label=rows["variant"].iloc[0], **look)
    changed = rows[rows["point"] != NATIVE]
    look |= {"linestyle": "", "markerfacecolor": "white"}
    axis.plot(changed["bitrate"], changed["mean"], **look)


def _published(axis: Axes, codec: str, bitrate: float, value: float, sure: bool) -> None:
    """Draw a published value, at the edge of the panel where it is beyond."""
    low, high = axis.get_ylim()
    axis.set_ylim(low, high)  # as the rows that are drawn have made it
    marker, side = MARKS[codec]
    place = min(max(value, low), high)
    look: dict[str, Any] = {"label": f"{codec}, published", "ms": 5, "clip_on": False}
    face = style.GREY if sure else "white"
    axis.plot(bitrate, place, marker, color=style.GREY, markerfacecolor=face, **look)
    if place != value:
        above = value > high
        axis.annotate(
            f"{value:g}",
            (bitrate, place),
            xytext=(0, -4 if above else 4),
            textcoords="offset points",
            rotation=90,
            ha=side,
            va="top" if above else "bottom",
            fontsize=5.5,
            color=style.GREY,
        )
