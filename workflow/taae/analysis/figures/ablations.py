"""Figures of the arms of an ablation: their means, and their differences from the reference."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taae.analysis.figures import style
from taae.evaluation.metrics import METRICS
from taae.study.config import Ablation
from taae.study.study import Study

_BOLD = "the primary metric is bold"


def metrics(study: Study, name: str, summary: pd.DataFrame, comparisons: pd.DataFrame) -> Figure:
    """Draw every arm's mean with its interval, a panel per metric.

    Arms are rows, the reference first; where the ablation varies the window alone, the window is
    the x axis instead. Points that differ from the reference after Holm's correction are filled.
    """
    ablation = study.ablations[name]
    summary = summary[summary["variant"].isin(ablation.arms)]
    comparisons = comparisons[comparisons["ablation"] == name]
    windows = [study.variants[arm].attention.window for arm in ablation.arms]
    lines = ablation.varies == ["attention.window"]
    figure, axes = _panels(study, ablation, ablation.arms, lines)
    for metric, axis in axes.items():
        rows = _rows(summary, metric, ablation.arms)
        tested = _rows(comparisons, metric, ablation.arms)
        if not lines:
            _points(axis, rows, "mean", tested, ablation)
            axis.axvline(rows["mean"].iloc[0], color=style.GREY, linewidth=0.6, zorder=0)
            continue
        means = rows["mean"].set_axis(windows).sort_index()
        axis.plot(means.index, means, color=style.BLUE, linewidth=0.8, zorder=1)
        _points(axis, rows, "mean", tested, ablation, windows)
        axis.set_xscale("log", base=2)
        axis.set_xticks(windows, [str(window) for window in windows])
        axis.set_xlim(min(windows) / 1.4, max(windows) * 1.4)
        axis.locator_params(axis="y", nbins=4)
        axis.grid(visible=True, axis="y")
    reading = f"mean over speakers with {_interval(summary)}; {_BOLD}"
    return style.explain(figure, ablation.title, reading)


def forest(study: Study, name: str, comparisons: pd.DataFrame) -> Figure:
    """Draw every arm's difference from the reference with its interval, a panel per metric.

    Filled: differs after Holm's correction. Shaded: the side on which a variant is better.
    """
    ablation = study.ablations[name]
    comparisons = comparisons[comparisons["ablation"] == name]
    figure, axes = _panels(study, ablation, ablation.variants)
    for metric, axis in axes.items():
        rows = _rows(comparisons, metric, ablation.variants)
        _points(axis, rows, "difference", rows, ablation)
        axis.axvline(0, color=style.BLACK, linewidth=0.6, zorder=0.5)
        low, high = axis.get_xlim()
        low, high = min(low, -0.1 * high), max(high, -0.1 * low)  # both sides are seen
        better = high if METRICS[metric].better > 0 else low
        axis.axvspan(0, better, color=style.PALE, zorder=0, label="better than reference")
        axis.set_xlim(low, high)
    reading = f"difference from {ablation.reference} with {_interval(comparisons)}; {_BOLD}"
    return style.explain(figure, ablation.title, reading)


def _panels(
    study: Study, ablation: Ablation, arms: Sequence[str], lines: bool = False
) -> tuple[Figure, dict[str, Axes]]:
    """Return a panel per metric: with a row per arm, or for `lines` over the window."""
    titles = style.headings(study.metrics.names)
    height = 0.8 if lines else 0.17 * len(arms)
    xlabel = "window (keys)" if lines else ""
    figure, axes = style.panels(titles, height, sharey=not lines, xlabel=xlabel)
    axes[ablation.primary].set_title(titles[ablation.primary], loc="left", fontweight="bold")
    return figure, axes


def _rows(table: pd.DataFrame, metric: str, arms: list[str]) -> pd.DataFrame:
    return table[table["metric"] == metric].set_index("variant").reindex(arms)


def _points(
    axis: Axes,
    rows: pd.DataFrame,
    centre: str,
    tested: pd.DataFrame,
    ablation: Ablation,
    windows: Sequence[int] = (),
) -> None:
    """Draw a point with its interval per arm: on rows of its own, or over its window."""
    differs = tested["p_holm"] < 1 - tested["confidence"]
    places = windows or range(len(rows))
    colours = []
    for place, arm, value, solid in zip(places, rows.index, rows[centre], differs, strict=True):
        marker, colour = "o", style.BLUE
        label = "differs (Holm)" if solid else "not shown to differ"
        if arm == ablation.reference:
            marker, colour, label, solid = "D", style.BLACK, "reference", True
        elif arm in ablation.controls:
            marker, colour, label = "s", style.GREY, "control"
        colours.append(colour)
        at, face = (place, value) if windows else (value, place), colour if solid else "white"
        axis.plot(*at, marker, color=colour, markerfacecolor=face, label=label)
    interval = axis.vlines if windows else axis.hlines
    interval(places, rows["low"], rows["high"], color=colours, linewidth=1.0)
    if not windows:
        style.arm_rows(axis, list(rows.index))
        axis.locator_params(axis="x", nbins=3)  # more labels of five digits would meet


def _interval(table: pd.DataFrame) -> str:
    known = table.dropna(subset="low")
    if known.empty:
        return "no interval (one speaker)"
    scope = ", ".join(known["scope"].unique())
    speakers = known["n_speakers"].max()
    return f"{known['confidence'].iloc[0]:.0%} interval ({speakers} speakers, {scope})"
