"""Metrics against length, as a figure."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from taae.analysis.figures.style import GREY, PAGE, metric_title, panels, save, styled
from taae.analysis.figures.utterances import LOOKS
from taae.study.study import Study


def length_figure(table: pd.DataFrame, study: Study, stem: Path) -> None:
    """Draw every metric against length, a line per variant; the training length is marked.

    A hollow point is worse than the same model at the length of its training. What a pretrained
    variant was trained on is not known: it has no mark and no hollow point.
    """
    variants = list(table["variant"].unique())
    metrics = list(table["metric"].unique())
    arms = [study.variants[name] for name in variants]
    trained = sorted({arm.training.segment for arm in arms if not arm.pretrained})
    lengths = sorted(table["seconds"].unique())
    with styled():
        figure, axes, spare = panels(len(metrics), 3, PAGE, 1.5, 0.8)
        for axis, metric in zip(axes, metrics, strict=True):
            for number, (variant, look) in enumerate(zip(variants, cycle(LOOKS), strict=False)):
                rows = table[(table["metric"] == metric) & (table["variant"] == variant)]
                # Side by side, or the intervals of the variants would hide each other.
                aside = 1.03 ** (number - (len(variants) - 1) / 2)
                _draw(axis, rows.dropna(subset="mean"), aside, *look, _name(variant, study))
            for segment in trained:
                axis.axvline(segment, color=GREY, linewidth=0.6, linestyle=":", zorder=0)
            axis.set_xscale("log")
            axis.set_xticks(lengths, [f"{length:g}" for length in lengths])
            axis.minorticks_off()
            axis.grid(visible=True, axis="y")
            axis.set_title(metric_title(metric), loc="left")
            axis.set_xlabel("length (s)")
        handles, labels = axes[0].get_legend_handles_labels()
        if spare:
            spare[0].legend(handles, labels, loc="center left")
        else:
            figure.legend(handles, labels, loc="outside lower center", ncols=4)
        figure.suptitle(_title(trained), x=0.01, ha="left", fontsize=8)
        save(figure, stem)


def _title(trained: list[float]) -> str:
    """Return the title, which explains the marks where there are any."""
    if not trained:
        return "Length generalisation"
    segments = " or ".join(f"{segment:g}" for segment in trained)
    return (
        f"Length generalisation\ntrained on segments of {segments} s (dotted);"
        " hollow: worse than the same model at that length"
    )


def _draw(
    axis: Axes, rows: pd.DataFrame, aside: float, colour: str, marker: str, label: str
) -> None:
    seconds = rows["seconds"] * aside
    axis.vlines(seconds, rows["low"], rows["high"], color=colour, linewidth=0.6)
    axis.plot(seconds, rows["mean"], color=colour, marker=marker, markersize=3, label=label)
    worse = rows["worse"].astype(bool)
    axis.plot(
        *(seconds[worse], rows.loc[worse, "mean"], marker),
        color=colour,
        markersize=3,
        markerfacecolor="white",
    )


def _name(variant: str, study: Study) -> str:
    """Return a variant's name, with its window where it has one."""
    chosen = study.variants[variant]
    if chosen.model.kind == "conv":
        return variant
    return f"{variant} ({chosen.attention.window} keys)"
