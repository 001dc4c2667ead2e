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
        groups = {arm: rows[rows["variant"] == arm][[*PAIR, "value"]] for arm in ablation.arms}
        ends: list[float] = []
        for variant, (colour, marker) in looks.items():
            pair = groups[reference], groups[variant]
            x, y = share_seeds((reference, variant), pair, study.seedless)
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
    the baseline's median.
    """
    names = [*study.variants, *study.codecs]
    scores = scores[usable(scores)].sort_values(["variant", "metric", *PAIR])
    titles = style.headings(study.metrics.names)
    figure, axes = style.panels(titles, 0.19 * len(names), sharey=True)
    for metric, axis in axes.items():
        groups = dict(iter(scores[scores["metric"] == metric].groupby("variant")["value"]))
        for place, name in enumerate(names):
            label, colour = ("variant", style.BLUE) if place else (name, style.BLACK)
            if name in study.codecs:
                label, colour = "other codec", style.GREEN
            if name in groups:
                _violin(axis, place, groups[name].to_numpy(), colour, label)
        if names[0] in groups:
            axis.axvline(groups[names[0]].median(), color=style.GREY, linewidth=0.6, zorder=0)
        if not groups:
            axis.set_xticks([])
        style.arm_rows(axis, names)
        axis.locator_params(axis="x", nbins=4)
    reading = "dots: utterances; shapes: their density; bars: their median"
    return style.explain(figure, "Scores of utterances", reading)


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


def _violin(axis: Axes, place: int, values: NDArray[np.float64], colour: str, label: str) -> None:
    """Draw density, values and median of one row; dots are shifted alike in every figure."""
    shift = np.random.default_rng(0).uniform(-JITTER, JITTER, len(values))
    dots: dict[str, Any] = {"ms": 1.3, "mew": 0, "alpha": 0.45, "zorder": 2}
    axis.plot(values, place + shift, "o", color=colour, **dots)
    ends = [place - 0.32, place + 0.32]
    bar: dict[str, Any] = {"linewidth": 1.4, "zorder": 3, "label": label}
    axis.plot([float(np.median(values))] * 2, ends, color=colour, **bar)
    if np.ptp(values) > 0:
        shape: dict[str, Any] = axis.violinplot(
            values, [place], orientation="horizontal", widths=0.85, showextrema=False
        )
        shape["bodies"][0].set(facecolor=style.FAINT, edgecolor="none", alpha=1.0, zorder=1)
