"""The figure of an ablation under hard conditions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from taae.analysis.figures import style
from taae.evaluation.metrics import METRICS
from taae.evaluation.robustness.conditions import BAND, CLEAN, FLIP, GAIN, LOSS, NOISE, PASS
from taae.study.study import Study

TITLES = {
    f"{FLIP}neighbour": "flips to next (%)",
    f"{FLIP}random": "flips to any (%)",
    LOSS: "frames lost (%)",
    PASS: "passes",
    GAIN: "gain (dB)",
    NOISE: "noise (dB SNR)",
    BAND: "band (kHz)",
}
COMPARED = " compared"  # in the name of a condition's second panel
SCALES = {**dict.fromkeys((f"{FLIP}neighbour", f"{FLIP}random", LOSS), 100), BAND: 1e-3}
SPREAD = 0.7  # of the least distance of two amounts, that the arms at one take

Looks = Mapping[str, tuple[str, str]]  # colour and marker of each arm


def robustness(study: Study, name: str, table: pd.DataFrame, comparisons: pd.DataFrame) -> Figure:
    """Draw what each hard condition takes from the primary metric, two panels per condition.

    First the change of every arm from its own scores on clean speech, then how the change of a
    variant differs from the change of the reference, both paired, with their intervals. Filled
    there: it differs (Holm). Arms at one amount stand side by side.
    """
    ablation = study.ablations[name]
    metric = METRICS[ablation.primary]
    table = table[(table["metric"] == metric.name) & (table["condition"] != CLEAN)]
    table = table.assign(low=table["change_low"], high=table["change_high"])
    tested = comparisons[(comparisons["ablation"] == name) & (comparisons["metric"] == metric.name)]
    looks = {ablation.reference: (style.BLACK, "D"), **style.looks(ablation.variants)}
    shown = [condition for condition in TITLES if condition in set(table["condition"])]
    titles = {}
    for condition in shown:
        titles[condition] = TITLES[condition]
        titles[condition + COMPARED] = "minus reference's"
    unit = f" ({metric.unit})" if metric.unit else ""
    figure, axes = style.panels(titles, 1.1, ylabel=f"change{unit}")
    for condition in shown:
        here = table[table["condition"] == condition]
        amounts = sorted(here["amount"].unique(), reverse=condition == NOISE)
        own, compared = axes[condition], axes[condition + COMPARED]
        _draw(own, here.assign(solid=True), "change", condition, amounts, looks)
        differences = tested[tested["condition"] == condition]
        solid = differences["p_holm"] < 1 - differences["confidence"]
        _draw(compared, differences.assign(solid=solid), "difference", condition, amounts, looks)
        for axis in (own, compared):
            style.better_side(axis, metric.better)
    return style.explain(
        figure,
        f"{ablation.title}: hard conditions",
        f"change of {metric.label} from clean speech, and minus the change of {ablation.reference};"
        f" {style.interval(tested)}",
        style.filled(tested, f"change otherwise than {ablation.reference}"),
    )


def _draw(
    axis: Axes,
    rows: pd.DataFrame,
    column: str,
    condition: str,
    amounts: list[float],
    looks: Looks,
) -> None:
    places = _places(condition, amounts)
    room = SPREAD * min(np.diff(places), default=1.0)
    axis.axhline(0, color=style.BLACK, linewidth=0.6, zorder=0.9)
    for number, (arm, (colour, marker)) in enumerate(looks.items()):
        axis.plot([], [], marker, color=colour, linestyle="", label=arm)
        own = rows[rows["variant"] == arm].set_index("amount").reindex(amounts)
        x = places + room * ((number + 0.5) / len(looks) - 0.5)
        axis.vlines(x, own["low"], own["high"], color=colour, linewidth=1.0)
        for at, value, solid in zip(x, own[column], own["solid"], strict=True):
            face = colour if solid is True else "white"
            axis.plot(at, value, marker, color=colour, markerfacecolor=face, markersize=3)
    scale = SCALES.get(condition, 1)
    axis.set_xticks(places, [f"{scale * amount:g}" for amount in amounts])
    axis.set_xlim(places.min() - room, places.max() + room)
    axis.locator_params(axis="y", nbins=5)
    axis.grid(visible=True, axis="y")


def _places(condition: str, amounts: list[float]) -> NDArray[np.floating]:
    """Return where amounts stand: shares by their logarithm, all else side by side."""
    logarithmic = condition.startswith(FLIP) or condition == LOSS
    return np.log10(amounts) if logarithmic else np.arange(len(amounts), dtype=float)
