"""Figure of every metric against the bitrate, with published codecs as marks of reference."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from taae.analysis.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAGE,
    RED,
    SKY,
    metric_title,
    panels,
    save,
    styled,
)
from taae.codec.operating_points import NATIVE

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
ROOM = 9  # lines of a legend that a panel holds


def rate_distortion_figure(
    summary: pd.DataFrame,
    stem: Path,
    *,
    title: str = "Rate and distortion",
    rate: str = "nominal",
    published: Sequence[Published] = PUBLISHED,
) -> None:
    """Draw each metric against bits per second: a panel per metric, a line per variant.

    The point of the training is filled, those of a quantizer changed afterwards are hollow. The
    first variant is black and on top.

    Args:
        summary: a row per variant, operating point and metric with the columns variant, point,
            bitrate (bit/s), metric, mean, low, high and confidence.
        stem: path without its suffix.
        title: of the figure.
        rate: what kind of bitrate it is, for the axis.
        published: marks of reference; those of metrics that are not in `summary` are left out.
    """
    metrics = list(summary["metric"].unique())
    variants = list(summary["variant"].unique())
    looks = dict(zip(variants, cycle(_looks()), strict=False))
    with styled():
        figure, axes, spare = panels(len(metrics), COLUMNS, PAGE, 1.3, 1.0)
        published = [mark for mark in published if mark.metric in metrics]
        codecs = list(dict.fromkeys(mark.codec for mark in published))
        for axis, metric in zip(axes, metrics, strict=True):
            rows = summary[summary["metric"] == metric]
            for variant in reversed(variants):
                _line(axis, rows[rows["variant"] == variant], *looks[variant])
            for mark in published:
                if mark.metric == metric:
                    face = GREY if mark.sure else "white"
                    shape = _mark(mark.codec)
                    axis.plot(
                        mark.bitrate, mark.value, shape, color=GREY, markerfacecolor=face, ms=5
                    )
            axis.set_xscale("log")
            axis.set_title(metric_title(metric), loc="left")
            axis.grid(visible=True)
        _ticks(axes, summary, published)
        for axis in axes[-COLUMNS:]:  # the lowest of each column
            axis.set_xlabel(f"bit/s ({rate})")
        handles = [
            Line2D([], [], color=colour, marker=shape, ms=3.5, label=variant)
            for variant, (colour, shape) in looks.items()
        ]
        handles += [
            Line2D(
                [], [], ls="", color=GREY, marker=_mark(codec), ms=5, label=f"{codec}, published"
            )
            for codec in codecs
        ]
        if spare and len(handles) <= ROOM:
            spare[-1].legend(handles=handles, loc="center")
        else:
            figure.legend(handles=handles, loc="outside lower center", ncols=4)
        lines = [
            f"{title}: mean over speakers with its {summary['confidence'].iloc[0]:.0%} interval",
            "filled: quantizer of the training; hollow: changed afterwards",
        ]
        if published:
            lines.append(f"grey: published, on {PUBLISHED_ON}, so other data and training")
        if not all(mark.sure for mark in published):
            lines[-1] += "; hollow grey: band of PESQ not stated"
        figure.suptitle(
            "\n".join(lines),
            x=0.01,
            ha="left",
            fontsize=8,
        )
        save(figure, stem)


def _mark(codec: str) -> str:
    return {"TAAE": "*", "Mimi": "P", "DAC": "X"}.get(codec, "h")


def _looks() -> list[tuple[str, str]]:
    colours = (BLUE, ORANGE, GREEN, RED, SKY)
    return [(BLACK, "o"), *((colour, shape) for shape in "os^D" for colour in colours)]


def _line(axis: Axes, rows: pd.DataFrame, colour: str, shape: str) -> None:
    rows = rows.sort_values("bitrate")
    axis.plot(rows["bitrate"], rows["mean"], color=colour, linewidth=0.8, zorder=2)
    axis.vlines(rows["bitrate"], rows["low"], rows["high"], color=colour, linewidth=0.8, zorder=2)
    for _, row in rows.iterrows():
        face = colour if row["point"] == NATIVE else "white"
        axis.plot(
            row["bitrate"], row["mean"], shape, color=colour, markerfacecolor=face, ms=3.5, zorder=3
        )


def _ticks(axes: list[Axes], summary: pd.DataFrame, published: Sequence[Published]) -> None:
    """Give every panel the same span and 1-2-5 ticks in plain numbers."""
    rates = [*summary["bitrate"], *(mark.bitrate for mark in published)]
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
