"""Figures of the arms of an ablation: their means, and their differences from the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taae.analysis.figures import style
from taae.analysis.findings.verdict import NOISES
from taae.analysis.statistics import RunVariance
from taae.codec.operating_points import point_label
from taae.corpus.config import MAIN
from taae.evaluation.metrics import METRICS
from taae.study.config import Ablation
from taae.study.study import Study

_BOLD = "bold: primary metric"
_CHANCE = "training noise (2 × RMS)"


def metrics(study: Study, name: str, summary: pd.DataFrame, comparisons: pd.DataFrame) -> Figure:
    """Draw the reference's mean, and beside it every arm's paired difference, a panel per metric.

    The interval is that of the difference: what speakers share, which all arms share too, is not in
    it. Arms are rows, the reference first; where the ablation varies the window alone, the window
    is the x axis instead. Filled and banded as in `forest`.
    """
    ablation = study.ablations[name]
    comparisons = comparisons[comparisons["ablation"] == name]
    windows = [study.variants[arm].attention.window for arm in ablation.arms]
    lines = ablation.varies == ["attention.window"]
    figure, axes = _panels(study, ablation, ablation.arms, lines)
    for metric, axis in axes.items():
        own = _rows(summary, metric, ablation.arms)["mean"]
        tested = _rows(comparisons, metric, ablation.arms)
        mean = own.iloc[0]
        rows = (mean + tested[["low", "high"]]).assign(mean=mean + tested["difference"])
        rows["mean"] = rows["mean"].fillna(own)  # the reference's, and without a pair the arm's own
        span = axis.axhspan if lines else axis.axvspan
        chance = NOISES * _noise(tested)
        if chance > 0:
            span(mean - chance, mean + chance, color=style.FAINT, zorder=0.4, label=_CHANCE)
        if not lines:
            _points(axis, rows, "mean", tested, ablation)
            axis.axvline(mean, color=style.BLACK, linewidth=0.6, zorder=0.9)
            continue
        means = rows["mean"].set_axis(windows).sort_index()
        axis.plot(means.index, means, color=style.BLUE, linewidth=0.8, zorder=1)
        _points(axis, rows, "mean", tested, ablation, windows)
        axis.set_xscale("log", base=2)
        axis.set_xticks(*_window_ticks(windows))
        axis.set_xlim(min(windows) / 1.4, max(windows) * 1.4)
        axis.minorticks_off()
        axis.locator_params(axis="y", nbins=4)
        axis.grid(visible=True, axis="y")
    reading = f"mean of {ablation.reference}, paired differences with"
    return style.explain(
        figure,
        ablation.title,
        f"{reading} {style.interval(comparisons)}; {_BOLD}",
        style.filled(comparisons),
    )


def forest(study: Study, name: str, comparisons: pd.DataFrame) -> Figure:
    """Draw every arm's difference from the reference with its interval, a panel per metric.

    Filled: differs after Holm's correction. The grey band is what trainings differ by by chance,
    which the interval holds where it is known. Shaded: the side on which a variant is better.
    """
    ablation = study.ablations[name]
    comparisons = comparisons[comparisons["ablation"] == name]
    figure, axes = _panels(study, ablation, ablation.variants)
    for metric, axis in axes.items():
        _differences(axis, _rows(comparisons, metric, ablation.variants), ablation)
        _better_side(axis, metric, *axis.get_xlim())
    reading = f"difference from {ablation.reference} with {style.interval(comparisons)}; {_BOLD}"
    return style.explain(figure, ablation.title, reading, style.filled(comparisons))


def tests(study: Study, name: str, comparisons: pd.DataFrame) -> Figure:
    """Draw every arm's difference in the primary metric on each test set, a panel per set.

    As in `forest`; the band is the noise on that set, and all panels have one scale.
    """
    ablation = study.ablations[name]
    here = comparisons["metric"] == ablation.primary
    comparisons = comparisons[(comparisons["ablation"] == name) & here]
    titles = {test: test for test in [MAIN, *study.tests]}
    height = 0.17 * len(ablation.variants)
    figure, axes = style.panels(titles, height, sharey=True, rows=ablation.variants)
    for test, axis in axes.items():
        rows = comparisons[comparisons["test"] == test]
        _differences(axis, _rows(rows, ablation.primary, ablation.variants), ablation)
    ends = [axis.get_xlim() for axis in axes.values()]
    for axis in axes.values():
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        _better_side(axis, ablation.primary, low, high)
    heading = METRICS[ablation.primary].heading
    return style.explain(
        figure,
        f"{ablation.title}: {heading} on each test set",
        f"difference from {ablation.reference} with {style.interval(comparisons)}",
        style.filled(comparisons),
    )


def points(study: Study, name: str, comparisons: pd.DataFrame) -> Figure:
    """Draw every arm's difference from the reference at each operating point, a panel per metric.

    Filled as in `forest`; the band is the noise at that point.
    """
    ablation = study.ablations[name]
    comparisons = comparisons[comparisons["ablation"] == name]
    rate = study.variants[ablation.reference].bitrate
    places = sorted(comparisons["point"].unique(), key=lambda point: (rate(point), point))
    titles = style.headings(comparisons["metric"].unique())
    figure, axes = style.panels(titles, 1.3, columns=3, xlabel="operating point")
    looks = style.looks(ablation.variants)
    shift = 0.6 / len(ablation.variants)
    for metric, axis in axes.items():
        axis.axhline(0, color=style.BLACK, linewidth=0.6, zorder=0.9)
        here = comparisons[comparisons["metric"] == metric]
        for place, point in enumerate(places):
            high = NOISES * _noise(here[here["point"] == point])
            if high > 0:
                span = [place - 0.4, place + 0.4]
                axis.fill_between(span, -high, high, color=style.FAINT, zorder=0.4, label=_CHANCE)
        for number, arm in enumerate(ablation.variants):
            rows = here[here["variant"] == arm].set_index("point").reindex(places)
            colour, marker = looks[arm]
            x = [place - 0.3 + (number + 0.5) * shift for place in range(len(places))]
            axis.vlines(x, rows["low"], rows["high"], color=colour, linewidth=1.0)
            for at, value, solid in zip(x, rows["difference"], _differs(rows), strict=True):
                face = colour if solid else "white"
                axis.plot(at, value, marker, color=colour, markerfacecolor=face)
            axis.plot([], [], marker, color=colour, linestyle="", label=arm)
        axis.set_xticks(range(len(places)), map(point_label, places))
        axis.set_xlim(-0.5, len(places) - 0.5)
        axis.locator_params(axis="y", nbins=5)
        axis.grid(visible=True, axis="y")
    reading = f"difference from {ablation.reference} with {style.interval(comparisons)}"
    return style.explain(figure, ablation.title, reading, style.filled(comparisons))


def _differences(axis: Axes, rows: pd.DataFrame, ablation: Ablation) -> None:
    """Draw the difference of each arm, a row each, and the band of training noise."""
    _points(axis, rows, "difference", rows, ablation)
    axis.axvline(0, color=style.BLACK, linewidth=0.6, zorder=0.9)
    chance = NOISES * _noise(rows)
    if chance > 0:
        axis.axvspan(-chance, chance, color=style.FAINT, zorder=0.4, label=_CHANCE)


def _better_side(axis: Axes, metric: str, low: float, high: float) -> None:
    """Shade the side of 0 of the x axis on which a difference is better, and set its ends."""
    low, high = min(low, -0.1 * high), max(high, -0.1 * low)  # both sides are seen
    better = high if METRICS[metric].better > 0 else low
    axis.axvspan(0, better, color=style.PALE, zorder=0, label="better than reference")
    axis.set_xlim(low, high)


def _window_ticks(windows: Sequence[int]) -> tuple[list[int], list[str]]:
    """Return the ticks of windows, and their numbers: none where it would meet the one before."""
    ticks = sorted(windows)
    numbers: list[str] = []
    last = 0.0
    for window in ticks:
        # About as wide as a panel is where there are four.
        place = math.log(window / ticks[0]) / (math.log(ticks[-1] / ticks[0]) or 1.0)
        half = style.width(str(window), style.TICK) / 2 + 0.03
        fits = not numbers or place - half >= last
        numbers.append(str(window) if fits else "")
        last = place + half if fits else last
    return ticks, numbers


def _noise(rows: pd.DataFrame) -> float:
    """Return the noise of training where it is known of every arm; else NaN.

    A control's own row has it from the other runs alone, and stands for the band where all rows are
    controls.
    """
    arms = rows[rows["difference"].notna()]
    arms = arms[arms["control"].ne(True)] if arms["control"].ne(True).any() else arms
    if arms.empty:
        return math.nan
    told = zip(arms["noise"], arms["noise_df"], arms["n_seeds"], strict=True)
    known = all(RunVariance(noise**2, df).is_known(seeds) for noise, df, seeds in told)
    return float(arms["noise"].max()) if known else math.nan


def _differs(rows: pd.DataFrame) -> pd.Series:
    """Tell which differences pass Holm's correction."""
    differs: pd.Series = rows["p_holm"] < 1 - rows["confidence"]
    return differs


def _panels(
    study: Study, ablation: Ablation, arms: Sequence[str], lines: bool = False
) -> tuple[Figure, dict[str, Axes]]:
    """Return a panel per metric: with a row per arm, or for `lines` over the window."""
    titles = style.headings(study.metrics.names)
    height = 0.8 if lines else 0.17 * len(arms)
    xlabel = "window (keys)" if lines else ""
    rows: Sequence[str] = () if lines else arms
    figure, axes = style.panels(titles, height, sharey=not lines, xlabel=xlabel, rows=rows)
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
    differs = _differs(tested)
    places = windows or range(len(rows))
    colours = []
    for place, arm, value, solid in zip(places, rows.index, rows[centre], differs, strict=True):
        marker, colour = "o", style.BLUE
        label = "differs" if solid else "not shown to differ"
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
