"""Figures of single utterances: each against its reference, and how they are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from taae.analysis.figures.style import (
    BLACK,
    BLUE,
    FAINT,
    GREEN,
    GREY,
    LOOKS,
    PAGE,
    PALE,
    arm_rows,
    handle,
    legend,
    metric_title,
    panels,
    title,
)
from taae.analysis.score_files import share_seeds
from taae.evaluation.metrics import METRICS, Status
from taae.study.study import Study

PAIR = ["seed", "utterance"]
COLUMNS = 4  # of panels
JITTER = 0.16  # of a row, to each side


def scatter(study: Study, name: str, scores: pd.DataFrame) -> Figure:
    """Draw every utterance's score under an ablation's variants against its reference's score.

    A panel per metric, a colour per variant; the diagonal is no difference, the shaded side is
    where a variant is better. A pair is one utterance and one seed; a variant without a seed is
    paired at every seed of the other.

    Args:
        study: names the arms and the metrics.
        name: the ablation.
        scores: of `taae.analysis.score_files.collect`.
    """
    ablation = study.ablations[name]
    names = study.metrics.names
    usable = _usable(scores)
    extra = 0.85 if len(names) % COLUMNS else 1.2  # without a spare panel, for the legend
    figure, axes, spare = panels(len(names), COLUMNS, PAGE, 1.55, extra)
    for place, (axis, metric) in enumerate(zip(axes, names, strict=True)):
        rows = usable[usable["metric"] == metric]
        groups = {arm: rows[rows["variant"] == arm][[*PAIR, "value"]] for arm in ablation.arms}
        ends: list[float] = []
        for variant, (colour, marker) in zip(ablation.variants, cycle(LOOKS), strict=False):
            pair = groups[ablation.reference], groups[variant]
            reference, own = share_seeds((ablation.reference, variant), pair, study.seedless)
            pairs = reference.merge(own, on=PAIR, suffixes=("_reference", ""))
            x, y = pairs["value_reference"], pairs["value"]
            axis.plot(x, y, marker, color=colour, ms=2.2, mew=0, alpha=0.55, zorder=3)
            ends += [*x, *y]
        _diagonal(axis, ends, METRICS[metric].better)
        if place % COLUMNS == 0:
            axis.set_ylabel("variant")
        if place // COLUMNS == (len(names) - 1) // COLUMNS:
            axis.set_xlabel(ablation.reference)
        metric_title(axis, metric)
    looks = zip(ablation.variants, cycle(LOOKS), strict=False)
    handles = [handle(variant, *look, ms=3, mew=0) for variant, look in looks]
    legend(figure, spare, [*handles, Patch(color=PALE, label="variant better")])
    title(
        figure,
        ablation.title,
        f"utterances: y under a variant, x under {ablation.reference}",
    )
    return figure


def distributions(study: Study, scores: pd.DataFrame) -> Figure:
    """Draw how the utterances of every variant and codec are distributed, a panel per metric.

    Dots are utterances (of all seeds), the shape their density, the bar their median; the line is
    the baseline's median. Arguments as for `scatter`.
    """
    names = [*study.variants, *study.codecs]
    usable = _usable(scores)
    height = 0.35 + 0.19 * len(names)
    figure, axes, spare = panels(len(study.metrics.names), COLUMNS, PAGE, height, 0.9, sharey=True)
    for axis, metric in zip(axes, study.metrics.names, strict=True):
        rows = usable[usable["metric"] == metric]
        groups = dict(iter(rows.groupby("variant")["value"]))
        for place, name in enumerate(names):
            if name in groups:
                colour = BLACK if place == 0 else GREEN if name in study.codecs else BLUE
                _violin(axis, place, groups[name].to_numpy(), colour)
        if names[0] in groups:
            axis.axvline(groups[names[0]].median(), color=GREY, linewidth=0.6, zorder=0)
        if not groups:
            axis.set_xticks([])
        arm_rows(axis, names)
        axis.locator_params(axis="x", nbins=4)
        metric_title(axis, metric)
    shown = {names[0]: BLACK, "variant": BLUE} | ({"other codec": GREEN} if study.codecs else {})
    handles = [
        *(handle(label, colour, ms=2.5, mew=0) for label, colour in shown.items()),
        handle("median", BLACK, "|", ms=7, mew=1.4),
        Patch(color=FAINT, label="density"),
    ]
    legend(figure, spare, handles)
    title(figure, "Scores of utterances")
    return figure


def _usable(scores: pd.DataFrame) -> pd.DataFrame:
    usable: pd.DataFrame = scores[(scores["status"] == Status.OK) & np.isfinite(scores["value"])]
    return usable.sort_values(["variant", "metric", *PAIR])


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
    side = [low, low] if better < 0 else [high, high]
    axis.fill_between([low, high], [low, high], side, color=PALE, linewidth=0, zorder=0)
    axis.plot([low, high], [low, high], color=GREY, linewidth=0.6, zorder=1)
    axis.locator_params(nbins=4)


def _violin(axis: Axes, place: int, values: np.ndarray, colour: str) -> None:
    """Draw density, values and median of one row; dots are shifted alike in every figure."""
    if np.ptp(values) > 0:
        shape = axis.violinplot(
            values, [place], orientation="horizontal", widths=0.85, showextrema=False
        )
        for body in cast(list[PolyCollection], shape["bodies"]):
            body.set(facecolor=FAINT, edgecolor="none", alpha=1.0, zorder=1)
    shift = np.random.default_rng(0).uniform(-JITTER, JITTER, len(values))
    axis.plot(values, place + shift, "o", color=colour, ms=1.3, mew=0, alpha=0.45, zorder=2)
    median = float(np.median(values))
    axis.plot([median] * 2, [place - 0.32, place + 0.32], color=colour, linewidth=1.4, zorder=3)
