"""Figure of every metric against the bitrate, with the other codecs and published values."""

from __future__ import annotations

import math
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
MARKS = {"TAAE": "*", "Mimi": "P", "DAC": "X"}  # of published values
STRIP = 0.07  # of a panel's width, for each published value and once more
VARIANTS = ((style.BLACK, "o"), *(look for look in style.LOOKS if style.GREY not in look))
CODECS = ("#555555", "pvhd")  # colour and markers of the other codecs


def rate_distortion(study: Study, points: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw each metric against bits per second: a panel per metric, a line per variant.

    The point of the training is filled, the points of a quantizer changed afterwards are hollow.
    The first variant is black and on top. Variants rule the axes: another codec that is far away
    stands at the edge, with its number. Published values stand aside, in a strip without bitrates.
    """
    metrics = list(points["metric"].unique())
    looks = dict(zip(points["variant"].unique(), cycle(VARIANTS), strict=False))
    measured = summary[summary["variant"].isin(study.codecs) & summary["metric"].isin(metrics)]
    measured = measured.dropna(subset=["bitrate", "mean"])
    colour, markers = CODECS
    codecs = dict(zip(measured["variant"].unique(), cycle(markers), strict=False))
    published = {mark: values for mark, values in PUBLISHED.items() if {*values} & {*metrics}}
    rates = [*points["bitrate"], *measured["bitrate"]]
    low, high = min(rates) / 1.25, max(rates) * 1.25
    share = STRIP * (len(published) + 1) if published else 0.0
    start = low * (low / high) ** (share / (1 - share))
    figure, axes = style.panels(style.headings(metrics), 0.95, xlabel="bit/s")
    for metric, axis in axes.items():
        rows = points[points["metric"] == metric]
        others = measured[measured["metric"] == metric]
        own = [*rows["mean"], *rows["low"], *rows["high"]]
        axis.set_ylim(*style.limits(own, [*others["mean"], *others["low"], *others["high"]]))
        for place, (variant, (shade, marker)) in enumerate(looks.items()):
            line = rows[rows["variant"] == variant].sort_values("bitrate")
            _line(axis, line, shade, marker, zorder=3 - place / len(looks))
        axis.vlines(others["bitrate"], others["low"], others["high"], color=colour, linewidth=0.8)
        for codec, bitrate, mean in zip(
            others["variant"], others["bitrate"], others["mean"], strict=True
        ):
            look: dict[str, Any] = {"color": colour, "zorder": 4, "label": codec}
            _mark(axis, bitrate, mean, codecs[codec], look)
        if published:
            axis.axvspan(start, low, color=style.ASIDE, zorder=0, label="published, other data")
        for place, ((codec, rate), values) in enumerate(published.items()):
            if metric in values:
                face = "white" if metric == UNSURE else style.GREY
                look = {"color": style.GREY, "markerfacecolor": face, "ms": 5}
                x = start * (high / start) ** (STRIP * (place + 1))
                _mark(
                    axis,
                    x,
                    values[metric],
                    MARKS[codec],
                    look | {"label": f"{codec}, {rate} bit/s"},
                )
        axis.set_xscale("log")
        axis.set_xlim(start, high)
        axis.set_xticks(_ticks(low, high))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
        axis.grid(visible=True)
    lines = [
        "Rate and distortion: mean over speakers with its"
        f" {points['confidence'].iloc[0]:.0%} interval (between speakers: see points for arms)",
        "filled: quantizer of the training, at its nominal bitrate; hollow: changed afterwards;"
        " with a number: beyond the panel",
    ]
    if published:
        lines.append("grey strip: published, on LibriSpeech test-clean, so other data and training")
    if published and UNSURE in metrics:
        lines[-1] += "; hollow: band of PESQ not stated"
    return style.explain(figure, *lines)


def _ticks(low: float, high: float) -> list[float]:
    """Return a few round bitrates, far enough from each other for their numbers."""
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(digit * 10**power) for power in range(2, 6) for digit in digits]
        found = [tick for tick in ticks if low <= tick <= high]
        if len(found) <= 3:
            return found
    return found[:: math.ceil(len(found) / 3)]


def _line(axis: Axes, rows: pd.DataFrame, colour: str, marker: str, zorder: float) -> None:
    look: dict[str, Any] = {"color": colour, "linewidth": 0.8, "zorder": zorder}
    axis.vlines(rows["bitrate"], rows["low"], rows["high"], **look)
    look |= {"marker": marker, "ms": 3.5}
    axis.plot(rows["bitrate"], rows["mean"], label=rows["variant"].iloc[0], **look)
    changed = rows[rows["point"] != NATIVE]
    look |= {"linestyle": "", "markerfacecolor": "white"}
    axis.plot(changed["bitrate"], changed["mean"], **look)


def _mark(axis: Axes, x: float, value: float, marker: str, look: dict[str, Any]) -> None:
    """Draw a value, at the edge of the panel where it is beyond, with its number."""
    low, high = axis.get_ylim()
    place = min(max(value, low), high)
    axis.plot(x, place, marker, linestyle="", clip_on=False, **look)
    if place != value:
        above = value > high
        axis.annotate(
            f"{value:.3g}",
            (x, place),
            xytext=(0, -5 if above else 5),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va="top" if above else "bottom",
            fontsize=5.5,
            color=look["color"],
            bbox={"facecolor": "white", "linewidth": 0, "pad": 0.6, "alpha": 0.7},
            zorder=5,
        )
