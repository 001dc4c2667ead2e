"""Figures of single utterances: each against its reference, and how they are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from taae.analysis.figures import style
from taae.analysis.run_files import share_seeds, usable
from taae.evaluation.metrics import METRICS
from taae.study.study import Study

PAIR = ["seed", "utterance"]
JITTER = 0.16  # of a row, to each side
FENCE = 3.0  # times the distance of the quartiles from them: what lies further is an outlier


def scatter(study: Study, name: str, scores: pd.DataFrame) -> Figure:
    """Draw every utterance's score under an ablation's variants against its reference's score.

    A panel per metric, a colour per variant; the diagonal is no difference, the shaded side is
    where a variant is better. A pair is one utterance and one seed; a variant without a seed is
    paired at every seed of the other.
    """
    ablation = study.ablations[name]
    reference, looks = ablation.reference, style.looks(ablation.variants)
    scores = scores[usable(scores)].sort_values(["variant", "metric", *PAIR])
    titles = style.headings(study.metrics.names)
    figure, axes = style.panels(titles, 1.2, xlabel=reference, ylabel="variant")
    for metric, axis in axes.items():
        rows = scores[scores["metric"] == metric]
        # Ratings: the mean of all listeners.
        rows = rows.groupby(["variant", *PAIR])["value"].mean().reset_index()
        groups = {arm: rows[rows["variant"] == arm][[*PAIR, "value"]] for arm in ablation.arms}
        ends: list[float] = []
        for variant, (colour, marker) in looks.items():
            pair = {arm: groups[arm] for arm in (reference, variant)}
            x, y = share_seeds(pair, study.seedless)
            pairs = x.merge(y, on=PAIR)
            values = pairs["value_x"], pairs["value_y"]
            look: dict[str, Any] = {"ms": 2.2, "mew": 0, "alpha": 0.55, "zorder": 3}
            axis.plot(*values, marker, color=colour, label=variant, **look)
            ends += [*values[0], *values[1]]
        _diagonal(axis, ends, METRICS[metric].better)
    reading = f"utterances: y under a variant, x under {reference}"
    return style.explain(figure, ablation.title, reading)


def distributions(study: Study, scores: pd.DataFrame) -> Figure:
    """Draw how the utterances of every variant and codec are distributed, a panel per metric.

    Dots are utterances (of all seeds), the shape their density, the bar their median; the line is
    the baseline's median. Variants rule the axes, without their outliers: an arrow at an edge says
    how many utterances lie beyond.
    """
    names = [*study.variants, *study.codecs]
    scores = scores[usable(scores)].sort_values(["variant", "metric", *PAIR])
    titles = style.headings(study.metrics.names)
    figure, axes = style.panels(titles, 0.19 * len(names), sharey=True, rows=names)
    for metric, axis in axes.items():
        rows = scores[scores["metric"] == metric].groupby("variant")["value"]
        groups = {str(name): values.to_numpy() for name, values in rows}
        own = [groups[name] for name in study.variants if name in groups]
        ends = style.limits(end for values in own for end in _fences(values))
        near = [
            groups[name]
            for name in study.codecs
            if name in groups and _is_near(float(np.median(groups[name])), ends)
        ]
        low, high = style.limits(ends, [end for values in near for end in _fences(values)])
        for place, name in enumerate(names):
            label, colour = ("variant", style.BLUE) if place else (name, style.BLACK)
            if name in study.codecs:
                label, colour = "other codec", style.GREEN
            if name in groups:
                _violin(axis, place, groups[name], (low, high), colour, label)
        if names[0] in groups:
            axis.axvline(np.median(groups[names[0]]), color=style.GREY, linewidth=0.6, zorder=0)
        if groups:
            axis.set_xlim(low, high)
        else:
            axis.set_xticks([])
        style.arm_rows(axis, names)
        axis.locator_params(axis="x", nbins=4)
    reading = "dots: utterances; shapes: their density; bars: their median"
    return style.explain(
        figure, "Scores of utterances", f"{reading}; arrows: so many utterances lie beyond"
    )


def _is_near(value: float, ends: tuple[float, float]) -> bool:
    """Whether a value lies no further from an axis than half of its length."""
    low, high = ends
    return low - (high - low) / 2 <= value <= high + (high - low) / 2


def _fences(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of values without outliers: up to three times the quartiles' distance."""
    first, third = np.percentile(values, [25, 75])
    inside = values[np.abs(values - np.clip(values, first, third)) <= FENCE * (third - first)]
    return float(inside.min()), float(inside.max())


def _diagonal(axis: Axes, ends: Sequence[float], better: int) -> None:
    """Make the axes equal and shade the better side of the diagonal."""
    axis.set_aspect("equal")
    if not ends:
        axis.set(xticks=[], yticks=[])
        return
    low, high = min(ends), max(ends)
    margin = 0.05 * (high - low) or 0.5
    low, high = low - margin, high + margin
    axis.set(xlim=(low, high), ylim=(low, high))
    side = low if better < 0 else high
    shade: dict[str, Any] = {"color": style.PALE, "linewidth": 0, "label": "variant better"}
    axis.fill_between([low, high], [low, high], side, zorder=0, **shade)
    axis.plot([low, high], [low, high], color=style.GREY, linewidth=0.6, zorder=1)
    axis.locator_params(nbins=4)


def _violin(
    axis: Axes,
    place: int,
    values: NDArray[np.float64],
    ends: tuple[float, float],
    colour: str,
    label: str,
) -> None:
    """Draw density, values and median of one row; dots are shifted alike in every figure."""
    shift = np.random.default_rng(0).uniform(-JITTER, JITTER, len(values))
    dots: dict[str, Any] = {"ms": 1.3, "mew": 0, "alpha": 0.45, "zorder": 2}
    axis.plot(values, place + shift, "o", color=colour, **dots)
    bar: dict[str, Any] = {"linewidth": 1.4, "zorder": 3, "label": label}
    axis.plot([float(np.median(values))] * 2, [place - 0.32, place + 0.32], color=colour, **bar)
    if np.ptp(values) > 0:
        shape: dict[str, Any] = axis.violinplot(
            values, [place], orientation="horizontal", widths=0.85, showextrema=False
        )
        shape["bodies"][0].set(facecolor=style.FAINT, edgecolor="none", alpha=1.0, zorder=1)
    beyond = (values < ends[0]).sum(), (values > ends[1]).sum()
    for side, (count, arrow) in enumerate(zip(beyond, ("◂ {}", "{} ▸"), strict=True)):
        if count:
            axis.text(
                side,
                place,
                arrow.format(count),
                transform=axis.get_yaxis_transform(),
                ha="right" if side else "left",
                va="center",
                fontsize=5.5,
                color=colour,
                zorder=4,
            )
