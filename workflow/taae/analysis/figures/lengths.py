"""Metrics against length, as a figure."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from taae.analysis.figures.style import GREY, LOOKS, PAGE, legend, metric_title, panels, title
from taae.study.study import Study

COLUMNS = 3  # of panels


def lengths(study: Study, table: pd.DataFrame) -> Figure:
    """Draw every metric against length, a line per variant; the training length is marked.

    A hollow point is worse than the same model at the length of its training. The training of a
    pretrained variant is unknown: it gets no mark and no hollow point.
    """
    variants = list(table["variant"].unique())
    names = list(table["metric"].unique())
    arms = [study.variants[name] for name in variants]
    trained = sorted({arm.training.segment for arm in arms if not arm.pretrained})
    seconds = sorted(table["seconds"].unique())
    figure, axes, spare = panels(len(names), COLUMNS, PAGE, 1.5, 0.8)
    for axis, metric in zip(axes, names, strict=True):
        lines = []
        for number, (variant, look) in enumerate(zip(variants, cycle(LOOKS), strict=False)):
            rows = table[(table["metric"] == metric) & (table["variant"] == variant)]
            rows = rows.dropna(subset="mean")
            colour, marker = look
            # Side by side, or the intervals of the variants would hide each other.
            x = rows["seconds"] * 1.03 ** (number - (len(variants) - 1) / 2)
            axis.vlines(x, rows["low"], rows["high"], color=colour, linewidth=0.6)
            points: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 3}
            lines += axis.plot(x, rows["mean"], label=_name(variant, study), **points)
            worse = rows["worse"].astype(bool)
            axis.plot(x[worse], rows.loc[worse, "mean"], ls="", markerfacecolor="white", **points)
        for segment in trained:
            axis.axvline(segment, color=GREY, linewidth=0.6, linestyle=":", zorder=0)
        axis.set_xscale("log")
        axis.set_xticks(seconds, [f"{length:g}" for length in seconds])
        axis.minorticks_off()
        axis.grid(visible=True, axis="y")
        metric_title(axis, metric)
    for axis in axes[-COLUMNS:]:  # the lowest of each column
        axis.set_xlabel("length (s)")
    legend(figure, spare, lines)
    explained = []
    if trained:
        segments = " or ".join(f"{segment:g}" for segment in trained)
        explained = [
            f"trained on segments of {segments} s (dotted);"
            " hollow: worse than the same model at that length"
        ]
    title(figure, "Length generalisation", *explained)
    return figure


def _name(variant: str, study: Study) -> str:
    """Return a variant's name, with its window where it has one."""
    chosen = study.variants[variant]
    if chosen.model.kind == "conv":
        return variant
    return f"{variant} ({chosen.attention.window} keys)"
