"""Figures of the arms of a study: means, differences, training, windows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from taae.analysis.figures.style import (
    BLACK,
    BLUE,
    COLUMN,
    FAINT,
    GREEN,
    GREY,
    ORANGE,
    PAGE,
    PALE,
    RED,
    SKY,
    arm_rows,
    handle,
    legend,
    metric_title,
    panels,
    title,
)
from taae.evaluation.metrics import METRICS
from taae.study.config import Ablation
from taae.study.study import Study

COLUMNS = 4  # of panels
WINDOW = "attention.window"
_BOLD = "the primary metric is bold"
_PLAYING: dict[str, Any] = {"color": GREY, "linewidth": 0.6, "linestyle": "--"}


def metrics(study: Study, name: str, summary: pd.DataFrame, comparisons: pd.DataFrame) -> Figure:
    """Draw every arm's mean with its interval, a panel per metric.

    Arms are rows, the reference first; where the ablation varies the window alone, the window is
    the x axis instead. Points that differ from the reference after Holm's correction are filled.

    Args:
        study: names the arms and their windows.
        name: the ablation.
        summary: of `taae.analysis.tables.scores.summary`.
        comparisons: of `taae.analysis.tables.scores.comparisons`.
    """
    ablation = study.ablations[name]
    names = study.metrics.names
    lines = ablation.varies == [WINDOW]
    significant = _significant(comparisons[comparisons["ablation"] == name])
    height = 1.2 if lines else 0.45 + 0.17 * len(ablation.arms)
    figure, axes, spare = panels(len(names), COLUMNS, PAGE, height, 0.75, sharey=not lines)
    for axis, metric in zip(axes, names, strict=True):
        rows = summary[summary["metric"] == metric].set_index("variant").reindex(ablation.arms)
        filled = [(arm, metric) in significant for arm in ablation.arms]
        if lines:
            windows = [study.variants[arm].attention.window for arm in ablation.arms]
            _window_panel(axis, windows, rows, filled)
        else:
            _rows_panel(axis, rows, "mean", ablation, filled)
            axis.axvline(rows["mean"].iloc[0], color=GREY, linewidth=0.6, zorder=0)
        _panel_title(axis, metric, ablation)
    for axis in axes[-COLUMNS:] if lines else ():  # the lowest of each column
        axis.set_xlabel("window (keys)")
    handles = [
        handle("reference", BLACK, "D"),
        handle("differs from it (Holm)", BLUE),
        handle("not shown to differ", BLUE, solid=False),
    ]
    legend(figure, spare, handles + _control(ablation))
    shown = summary[summary["variant"].isin(ablation.arms)]
    title(figure, ablation.title, f"mean over speakers with {_interval(shown)}; {_BOLD}")
    return figure


def forest(study: Study, name: str, comparisons: pd.DataFrame) -> Figure:
    """Draw every arm's difference from the reference with its interval, a panel per metric.

    Filled: differs after Holm's correction. Shaded: the side on which a variant is better.
    Arguments as for `metrics`.
    """
    ablation = study.ablations[name]
    names = study.metrics.names
    table = comparisons[comparisons["ablation"] == name]
    significant = _significant(table)
    height = 0.45 + 0.17 * len(ablation.variants)
    figure, axes, spare = panels(len(names), COLUMNS, PAGE, height, 0.75, sharey=True)
    for axis, metric in zip(axes, names, strict=True):
        rows = table[table["metric"] == metric].set_index("variant").reindex(ablation.variants)
        filled = [(arm, metric) in significant for arm in ablation.variants]
        _rows_panel(axis, rows, "difference", ablation, filled)
        axis.axvline(0, color=BLACK, linewidth=0.6, zorder=0.5)
        low, high = axis.get_xlim()
        low, high = min(low, -0.1 * high), max(high, -0.1 * low)  # both sides are seen
        axis.axvspan(0, high if METRICS[metric].better > 0 else low, color=PALE, zorder=0)
        axis.set_xlim(low, high)
        _panel_title(axis, metric, ablation)
    handles = [
        handle("differs (Holm)", BLUE),
        handle("not shown to differ", BLUE, solid=False),
        *_control(ablation),
        Patch(color=PALE, label="better than reference"),
    ]
    legend(figure, spare, handles)
    difference = f"difference from {ablation.reference} with {_interval(table)}; {_BOLD}"
    title(figure, ablation.title, difference)
    return figure


def training(_study: Study, table: pd.DataFrame) -> Figure:
    """Draw the loss against the step, a panel per variant, the other variants behind it.

    A dashed line marks where the discriminator begins to play.

    Args:
        table: histories, with the columns variant, seed, step, split (train, validation), loss and
            discriminator.
    """
    histories = {
        (str(rows["variant"].iloc[0]), int(rows["seed"].iloc[0])): rows
        for _, rows in table.groupby(["variant", "seed"], sort=False)
    }
    variants = list(dict.fromkeys(variant for variant, _ in histories))
    validation = {key: _losses(history, "validation") for key, history in histories.items()}
    values = pd.concat(list(validation.values()))["loss"]
    margin = 0.15 * (np.ptp(values) or 1.0)
    figure, axes, spare = panels(len(variants), 4, PAGE, 1.15, 0.75)
    for axis, variant in zip(axes, variants, strict=True):
        for (other, seed), rows in validation.items():
            if other != variant:
                axis.plot(rows["step"], rows["loss"], color=FAINT, linewidth=0.7)
                continue
            train = _losses(histories[other, seed], "train")
            axis.plot(train["step"], train["loss"], color=SKY, linewidth=0.5, zorder=3)
            playing = train["step"][train["discriminator"].notna()]
            if not playing.empty:
                axis.axvline(playing.min(), **_PLAYING)
            axis.plot(rows["step"], rows["loss"], color=BLUE, zorder=4, marker="o", ms=2)
        axis.set_ylim(values.min() - margin, values.max() + margin)
        axis.set_title(variant, loc="left")
        axis.grid(visible=True, axis="y")
    handles = [
        handle("validation", BLUE, ms=2, ls="-"),
        Line2D([], [], color=SKY, linewidth=0.5, label="training"),
        Line2D([], [], color=FAINT, linewidth=0.7, label="validation of the others"),
    ]
    if table["discriminator"].notna().any():
        handles.append(Line2D([], [], label="discriminator plays", **_PLAYING))
    legend(figure, spare, handles)
    title(figure, "Loss in training", "one line per seed; y axis cut to the validation losses")
    figure.supxlabel("step")
    figure.supylabel("loss")
    return figure


def coverage(_study: Study, table: pd.DataFrame) -> Figure:
    """Draw the share of attention pairs that each variant's window removes, per rate.

    `table` is made by `taae.analysis.tables.scores.coverage`.
    """
    variants = list(table["variant"].unique())
    figure, (axis,), _ = panels(1, 1, COLUMN, 0.16 * len(variants), 0.8)
    looks = cycle(zip((BLUE, ORANGE, GREEN, RED), "osD^", strict=True))
    rates = table.groupby("rate_hz", sort=False)
    for (rate, rows), (colour, marker) in zip(rates, looks, strict=False):
        places = [variants.index(variant) for variant in rows["variant"]]
        share = 100 * rows["share_removed"]
        axis.plot(share, places, marker, color=colour, label=f"{rate:g} Hz")
    arm_rows(axis, variants)
    axis.grid(visible=True)
    axis.set_xlim(-2, 102)
    axis.set_xlabel("attention pairs removed in training (%)")
    figure.legend(loc="outside upper right", ncols=4, handletextpad=0.1)
    return figure


def _losses(history: pd.DataFrame, split: str) -> pd.DataFrame:
    return history[history["split"] == split].dropna(subset="loss")


def _rows_panel(
    axis: Axes, rows: pd.DataFrame, centre: str, ablation: Ablation, filled: Sequence[bool]
) -> None:
    """Draw a point with its interval per arm; `rows` are in the order of the arms."""
    colours = []
    for place, (arm, solid) in enumerate(zip(rows.index, filled, strict=True)):
        marker, colour = "o", BLUE
        if arm == ablation.reference:
            marker, colour, solid = "D", BLACK, True
        elif arm in ablation.controls:
            marker, colour = "s", GREY
        face = colour if solid else "white"
        axis.plot([rows[centre].iloc[place]], [place], marker, color=colour, markerfacecolor=face)
        colours.append(colour)
    axis.hlines(range(len(rows)), rows["low"], rows["high"], color=colours, linewidth=1.0)
    arm_rows(axis, list(rows.index))
    axis.locator_params(axis="x", nbins=3)  # more labels of five digits would meet


def _window_panel(
    axis: Axes, windows: Sequence[int], rows: pd.DataFrame, filled: Sequence[bool]
) -> None:
    """Draw means and intervals against the window; the first arm is the reference."""
    order = np.argsort(windows)
    sizes = np.array(windows)
    axis.plot(sizes[order], rows["mean"].iloc[order], color=BLUE, linewidth=0.8, zorder=1)
    axis.vlines(sizes, rows["low"], rows["high"], color=BLUE, linewidth=1.0)
    for place, (size, solid) in enumerate(zip(windows, filled, strict=True)):
        marker, colour, face = "o", BLUE, BLUE if solid else "white"
        if place == 0:
            marker, colour, face = "D", BLACK, BLACK
        axis.plot([size], [rows["mean"].iloc[place]], marker, color=colour, markerfacecolor=face)
    axis.set_xscale("log", base=2)
    axis.set_xticks(sizes, [str(size) for size in windows])
    axis.set_xlim(sizes.min() / 1.4, sizes.max() * 1.4)
    axis.locator_params(axis="y", nbins=4)
    axis.grid(visible=True, axis="y")


def _significant(comparisons: pd.DataFrame) -> set[tuple[str, str]]:
    found = comparisons[comparisons["p_holm"] < 1 - comparisons["confidence"]]
    return set(zip(found["variant"], found["metric"], strict=True))


def _interval(table: pd.DataFrame) -> str:
    known = table.dropna(subset="low")
    if known.empty:
        return "no interval (one speaker)"
    scope = ", ".join(known["scope"].unique())
    speakers = known["n_speakers"].max()
    return f"{known['confidence'].iloc[0]:.0%} interval ({speakers} speakers, {scope})"


def _control(ablation: Ablation) -> list[Line2D]:
    return [handle("control", GREY, "s", solid=False)] if ablation.controls else []


def _panel_title(axis: Axes, metric: str, ablation: Ablation) -> None:
    metric_title(axis, metric, fontweight="bold" if metric == ablation.primary else "normal")
