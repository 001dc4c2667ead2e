"""Figures of the study, each from its table: arms, differences, training, windows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
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
    metric_title,
    panels,
    save,
    styled,
)
from taae.evaluation.metrics import METRICS
from taae.study.config import Ablation
from taae.study.study import Study

WINDOW = "attention.window"
_BOLD = "the primary metric is bold"
_PLAYING: dict[str, Any] = {"color": GREY, "linewidth": 0.6, "linestyle": "--"}


def ablation_figure(
    name: str, study: Study, summary: pd.DataFrame, comparisons: pd.DataFrame, stem: Path
) -> None:
    """Draw every arm's mean with its interval, a panel per metric.

    Arms are rows, the reference first; where the ablation varies the window alone, the window is
    the x axis instead. Points that differ from the reference after Holm's correction are filled.

    Args:
        name: the ablation.
        study: names the arms and their windows.
        summary: of `taae.analysis.tables.scores.summary`.
        comparisons: of `taae.analysis.tables.scores.comparisons`.
        stem: path without its suffix; .png and .pdf are added.
    """
    ablation = study.ablations[name]
    metrics = study.metrics.names
    lines = ablation.varies == [WINDOW]
    significant = _significant(comparisons[comparisons["ablation"] == name])
    with styled():
        height = 1.2 if lines else 0.45 + 0.17 * len(ablation.arms)
        figure, axes, spare = panels(len(metrics), 4, PAGE, height, 0.75, sharey=not lines)
        for axis, metric in zip(axes, metrics, strict=True):
            rows = summary[summary["metric"] == metric].set_index("variant")
            rows = rows.reindex(ablation.arms)
            filled = [(arm, metric) in significant for arm in ablation.arms]
            if lines:
                windows = [study.variants[arm].attention.window for arm in ablation.arms]
                _window_panel(axis, windows, rows, filled)
            else:
                _rows_panel(axis, ablation.arms, rows, ["mean", "low", "high"], ablation, filled)
                axis.axvline(rows["mean"].iloc[0], color=GREY, linewidth=0.6, zorder=0)
            _panel_title(axis, metric, ablation)
        if lines:
            figure.supxlabel("window (keys)", fontsize=7)
        handles = [
            _handle("D", BLACK, True, "reference"),
            _handle("o", BLUE, True, "differs from it (Holm)"),
            _handle("o", BLUE, False, "not shown to differ"),
        ]
        _legend(figure, spare, handles + _control(ablation))
        shown = summary[summary["variant"].isin(ablation.arms)]
        _title(figure, ablation.title, f"mean over speakers with {_interval(shown)}; {_BOLD}")
        save(figure, stem)


def forest_figure(name: str, study: Study, comparisons: pd.DataFrame, stem: Path) -> None:
    """Draw every arm's difference from the reference with its interval, a panel per metric.

    Filled: differs after Holm's correction. Shaded: the side on which a variant is better.
    Arguments as for `ablation_figure`.
    """
    ablation = study.ablations[name]
    metrics = study.metrics.names
    table = comparisons[comparisons["ablation"] == name]
    significant = _significant(table)
    with styled():
        height = 0.45 + 0.17 * len(ablation.variants)
        figure, axes, spare = panels(len(metrics), 4, PAGE, height, 0.75, sharey=True)
        for axis, metric in zip(axes, metrics, strict=True):
            rows = table[table["metric"] == metric].set_index("variant")
            rows = rows.reindex(ablation.variants)
            filled = [(arm, metric) in significant for arm in ablation.variants]
            columns = ["difference", "low", "high"]
            _rows_panel(axis, ablation.variants, rows, columns, ablation, filled)
            axis.axvline(0, color=BLACK, linewidth=0.6, zorder=0.5)
            low, high = axis.get_xlim()
            low, high = min(low, -0.1 * high), max(high, -0.1 * low)  # both sides are seen
            axis.axvspan(0, high if METRICS[metric].better > 0 else low, color=PALE, zorder=0)
            axis.set_xlim(low, high)
            _panel_title(axis, metric, ablation)
        handles = [
            _handle("o", BLUE, True, "differs (Holm)"),
            _handle("o", BLUE, False, "not shown to differ"),
            *_control(ablation),
            Patch(color=PALE, label="better than reference"),
        ]
        _legend(figure, spare, handles)
        subtitle = f"difference from {ablation.reference} with {_interval(table)}; {_BOLD}"
        _title(figure, ablation.title, subtitle)
        save(figure, stem)


def training_curves(training: pd.DataFrame, stem: Path) -> None:
    """Draw the loss against the step, a panel per variant, the other variants behind it.

    A dashed line marks where the discriminator begins to play.

    Args:
        training: histories, with the columns variant, seed, step, split (train, validation), loss
            and discriminator.
        stem: path without its suffix.
    """
    histories: dict[tuple[str, int], pd.DataFrame] = {
        (str(rows["variant"].iloc[0]), int(rows["seed"].iloc[0])): rows
        for _, rows in training.groupby(["variant", "seed"], sort=False)
    }
    variants = list(dict.fromkeys(variant for variant, _ in histories))
    validation = {key: _losses(history, "validation") for key, history in histories.items()}
    values = pd.concat(list(validation.values()))["loss"]
    margin = 0.15 * (np.ptp(values) or 1.0)
    with styled():
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
            Line2D([], [], color=BLUE, marker="o", markersize=2, label="validation"),
            Line2D([], [], color=SKY, linewidth=0.5, label="training"),
            Line2D([], [], color=FAINT, linewidth=0.7, label="validation of the others"),
        ]
        if training["discriminator"].notna().any():
            handles.append(Line2D([], [], label="discriminator plays", **_PLAYING))
        _legend(figure, spare, handles)
        _title(figure, "Loss in training", "one line per seed; y axis cut to the validation losses")
        figure.supxlabel("step", fontsize=7)
        figure.supylabel("loss", fontsize=7)
        save(figure, stem)


def coverage_figure(table: pd.DataFrame, stem: Path) -> None:
    """Draw the share of attention pairs that each variant's window removes, per rate.

    `table` is that of `taae.analysis.tables.scores.coverage`.
    """
    variants = list(table["variant"].unique())
    with styled():
        figure, (axis,), _ = panels(1, 1, COLUMN, 0.16 * len(variants), 0.8)
        looks = cycle(zip((BLUE, ORANGE, GREEN, RED), "osD^", strict=True))
        rates = table.groupby("rate_hz", sort=False)
        for (rate, rows), (colour, marker) in zip(rates, looks, strict=False):
            places = [variants.index(variant) for variant in rows["variant"]]
            share = 100 * rows["share_removed"]
            axis.plot(share, places, marker, color=colour, markersize=4, label=f"{rate:g} Hz")
        axis.set_yticks(range(len(variants)), variants)
        axis.invert_yaxis()
        axis.set_xlim(-2, 102)
        axis.set_xlabel("attention pairs removed in training (%)")
        axis.grid(visible=True)
        axis.tick_params(axis="y", length=0)
        figure.legend(loc="outside upper right", ncols=4, handletextpad=0.1)
        save(figure, stem)


def _losses(history: pd.DataFrame, split: str) -> pd.DataFrame:
    return history[history["split"] == split].dropna(subset="loss")


def _rows_panel(
    axis: Axes,
    arms: list[str],
    rows: pd.DataFrame,
    columns: list[str],
    ablation: Ablation,
    filled: list[bool],
) -> None:
    """Draw a point with its interval per arm, the first at the top; `rows` are in that order."""
    for place, (arm, solid) in enumerate(zip(arms, filled, strict=True)):
        centre, low, high = rows[columns].iloc[place]
        marker, colour = "o", BLUE
        if arm == ablation.reference:
            marker, colour, solid = "D", BLACK, True
        elif arm in ablation.controls:
            marker, colour = "s", GREY
        face = colour if solid else "white"
        axis.plot([low, high], [place, place], color=colour, linewidth=1.0)
        axis.plot([centre], [place], marker, color=colour, markerfacecolor=face, markersize=4)
    axis.set_yticks(range(len(arms)), arms)
    axis.set_ylim(len(arms) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.locator_params(axis="x", nbins=3)  # more labels of five digits would meet
    axis.grid(visible=True, axis="x")


def _window_panel(axis: Axes, windows: list[int], rows: pd.DataFrame, filled: list[bool]) -> None:
    """Draw means and intervals against the window; the first arm is the reference."""
    order = np.argsort(windows)
    sizes = np.array(windows)
    axis.plot(sizes[order], rows["mean"].iloc[order], color=BLUE, linewidth=0.8, zorder=1)
    axis.vlines(sizes, rows["low"], rows["high"], color=BLUE, linewidth=1.0)
    for place, (size, solid) in enumerate(zip(windows, filled, strict=True)):
        marker, colour, face = "o", BLUE, BLUE if solid else "white"
        if place == 0:
            marker, colour, face = "D", BLACK, BLACK
        mean = rows["mean"].iloc[place]
        axis.plot([size], [mean], marker, color=colour, markerfacecolor=face, markersize=4)
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


def _handle(marker: str, colour: str, solid: bool, label: str) -> Line2D:
    face = colour if solid else "white"
    return Line2D(
        [], [], marker=marker, color=colour, markerfacecolor=face, markersize=4, label=label
    )


def _control(ablation: Ablation) -> list[Line2D]:
    return [_handle("s", GREY, False, "control")] if ablation.controls else []


def _panel_title(axis: Axes, metric: str, ablation: Ablation) -> None:
    weight = "bold" if metric == ablation.primary else "normal"
    axis.set_title(metric_title(metric), loc="left", fontweight=weight)


def _title(figure: Figure, title: str, subtitle: str) -> None:
    figure.suptitle(f"{title}\n{subtitle}", x=0.01, ha="left", fontsize=8)


def _legend(figure: Figure, spare: list[Axes], handles: Sequence[Artist]) -> None:
    """Put the legend into a left-over panel, or below all panels where there is none."""
    if spare:
        spare[-1].legend(handles=handles, loc="center")
    else:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
