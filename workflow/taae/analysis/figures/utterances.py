"""Figures of single utterances: each against its reference, and how they are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from taae.analysis.figures.style import (
    BLACK,
    BLUE,
    FAINT,
    GREEN,
    GREY,
    ORANGE,
    PAGE,
    PALE,
    RED,
    SKY,
    metric_title,
    panels,
    save,
    styled,
)
from taae.analysis.seeds import share_seeds
from taae.evaluation.metrics import METRICS
from taae.evaluation.scoring.status import Status
from taae.study.study import Study

LOOKS = tuple(
    (colour, marker) for marker in "o^sD" for colour in (BLUE, ORANGE, GREEN, RED, SKY, GREY)
)
PAIR = ["seed", "utterance"]
COLUMNS = 4  # of panels
JITTER = 0.16  # of a row, to each side


def scatter_figure(name: str, study: Study, scores: pd.DataFrame, stem: Path) -> None:
    """Draw every utterance's score under an ablation's variants against that of its reference.

    A panel per metric, a colour per variant; the diagonal is no difference, the shaded side is
    where a variant is better. Pairs are of one utterance and one seed; what has no seed takes those
    of the other.

    Args:
        name: the ablation.
        study: names its arms and the metrics.
        scores: of `taae.analysis.tables.scores.collect`.
        stem: path without its suffix; .png and .pdf are added.
    """
    ablation = study.ablations[name]
    metrics = study.metrics.names
    usable = _usable(scores)
    with styled():
        extra = 0.85 if len(metrics) % COLUMNS else 1.2  # without a spare panel, for the legend
        figure, axes, spare = panels(len(metrics), COLUMNS, PAGE, 1.55, extra)
        for place, (axis, metric) in enumerate(zip(axes, metrics, strict=True)):
            rows = usable[usable["metric"] == metric]
            groups = {arm: rows[rows["variant"] == arm][[*PAIR, "value"]] for arm in ablation.arms}
            ends = []
            for variant, (colour, marker) in zip(ablation.variants, cycle(LOOKS), strict=False):
                names = ablation.reference, variant
                pair = groups[ablation.reference], groups[variant]
                reference, own = share_seeds(names, pair, study.seedless)
                pairs = reference.merge(own, on=PAIR, suffixes=("_reference", ""))
                x, y = pairs["value_reference"], pairs["value"]
                axis.plot(x, y, marker, color=colour, ms=2.2, mew=0, alpha=0.55, zorder=3)
                ends += [*x, *y]
            _diagonal(axis, ends, METRICS[metric].better)
            if place % COLUMNS == 0:
                axis.set_ylabel("variant")
            if place // COLUMNS == (len(metrics) - 1) // COLUMNS:
                axis.set_xlabel(ablation.reference)
            axis.set_title(metric_title(metric), loc="left")
        handles = [
            *_dots(ablation.variants),
            Patch(color=PALE, label="variant better"),
        ]
        figure.suptitle(
            f"{ablation.title}\nutterances: y under a variant, x under {ablation.reference}",
            x=0.01, ha="left", fontsize=8,
        )  # fmt: skip
        if spare:
            spare[-1].legend(handles=handles, loc="center")
        else:
            figure.legend(handles=handles, loc="outside lower center", ncols=4)
        save(figure, stem)


def distribution_figure(study: Study, scores: pd.DataFrame, stem: Path) -> None:
    """Draw how the utterances of every variant and codec are distributed, a panel per metric.

    Dots are utterances (of all seeds), the shape their density, the bar their median; the line is
    the baseline's median. Arguments as for `scatter_figure`.
    """
    names = [*study.variants, *study.codecs]
    usable = _usable(scores)
    with styled():
        height = 0.35 + 0.19 * len(names)
        figure, axes, spare = panels(
            len(study.metrics.names), COLUMNS, PAGE, height, 0.9, sharey=True
        )
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
            axis.set_yticks(range(len(names)), names)
            axis.set_ylim(len(names) - 0.4, -0.6)
            axis.tick_params(axis="y", length=0)
            axis.locator_params(axis="x", nbins=4)
            axis.grid(visible=True, axis="x")
            axis.set_title(metric_title(metric), loc="left")
        handles = [
            *[
                Line2D([], [], color=colour, marker="o", ls="", ms=2.5, mew=0, label=label)
                for colour, label in ((BLACK, names[0]), (BLUE, "variant"), (GREEN, "other codec"))
                if label != "other codec" or study.codecs
            ],
            Line2D([], [], color=BLACK, marker="|", ls="", ms=7, mew=1.4, label="median"),
            Patch(color=FAINT, label="density"),
        ]
        figure.suptitle("Scores of utterances", x=0.01, ha="left", fontsize=8)
        if spare:
            spare[-1].legend(handles=handles, loc="center")
        else:
            figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        save(figure, stem)


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


def _dots(variants: Sequence[str]) -> list[Line2D]:
    return [
        Line2D([], [], color=colour, marker=marker, ls="", ms=3, mew=0, label=variant)
        for variant, (colour, marker) in zip(variants, cycle(LOOKS), strict=False)
    ]
