"""The figure of an ablation under hard conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taae.analysis.figures import style
from taae.evaluation.metrics import METRICS
from taae.evaluation.robustness.conditions import BAND, CLEAN, FLIP, GAIN, LOSS, NOISE, PASS
from taae.study.study import Study

TITLES = {
    f"{FLIP}neighbour": "codes at a neighbouring level (%)",
    f"{FLIP}random": "codes at any other level (%)",
    LOSS: "latent frames lost (%)",
    PASS: "passes through the codec",
    GAIN: "gain of the input (dB)",
    NOISE: "noise in the input (dB SNR)",
    BAND: "bandwidth of the input (kHz)",
}
SCALES = {**dict.fromkeys((f"{FLIP}neighbour", f"{FLIP}random", LOSS), 100), BAND: 1e-3}
SPREAD = 0.6  # of the least distance of two amounts, that the arms at one take


def robustness(study: Study, name: str, table: pd.DataFrame, comparisons: pd.DataFrame) -> Figure:
    """Draw what each hard condition takes from the primary metric, a panel per condition.

    Every arm changes from its own scores on clean speech, with the interval of its paired change.
    Filled: it changes otherwise than the reference, which is a diamond (Holm).
    """
    ablation = study.ablations[name]
    metric = METRICS[ablation.primary]
    table = table[(table["metric"] == metric.name) & (table["condition"] != CLEAN)]
    tested = comparisons[(comparisons["ablation"] == name) & (comparisons["metric"] == metric.name)]
    differs = tested[tested["p_holm"] < 1 - tested["confidence"]]
    solid = set(differs[["variant", "condition", "amount"]].itertuples(index=False, name=None))
    looks = {ablation.reference: (style.BLACK, "D"), **style.looks(ablation.variants)}
    titles = {key: title for key, title in TITLES.items() if key in set(table["condition"])}
    figure, axes = style.panels(titles, 1.2, columns=3, ylabel=f"change ({metric.unit})")
    for condition, axis in axes.items():
        here = table[table["condition"] == condition]
        amounts = sorted(here["amount"].unique(), reverse=condition == NOISE)
        places = _places(condition, amounts)
        room = SPREAD * min(np.diff(places), default=1.0)
        axis.axhline(0, color=style.BLACK, linewidth=0.6, zorder=0.9)
        for number, (arm, (colour, marker)) in enumerate(looks.items()):
            shift = room * ((number + 0.5) / len(looks) - 0.5)
            rows = here[here["variant"] == arm].set_index("amount").reindex(amounts)
            x = np.array(places) + shift
            axis.vlines(x, rows["change_low"], rows["change_high"], color=colour, linewidth=1.0)
            axis.plot(x, rows["change"], color=colour, linewidth=0.5)
            for at, amount, value in zip(x, amounts, rows["change"], strict=True):
                full = arm == ablation.reference or (arm, condition, amount) in solid
                face = colour if full else "white"
                axis.plot(at, value, marker, color=colour, markerfacecolor=face)
            axis.plot([], [], marker, color=colour, linestyle="", label=arm)
        _finish(axis, condition, amounts, places, room)
        style.better_side(axis, metric.better)
    return style.explain(
        figure,
        f"{ablation.title}: hard conditions",
        f"change of {metric.label} from clean speech with its {style.interval(table)}",
        style.filled(tested, f"change otherwise than {ablation.reference}"),
    )


def _places(condition: str, amounts: Sequence[float]) -> list[float]:
    """Return where amounts stand: shares by their logarithm, all else side by side."""
    logarithmic = condition.startswith(FLIP) or condition == LOSS
    return [float(np.log10(each)) for each in amounts] if logarithmic else [*range(len(amounts))]


def _finish(
    axis: Axes, condition: str, amounts: Sequence[float], places: Sequence[float], room: float
) -> None:
    scale = SCALES.get(condition, 1)
    axis.set_xticks(places, [f"{scale * amount:g}" for amount in amounts])
    edge: Any = max(room, 0.1)
    axis.set_xlim(min(places) - edge, max(places) + edge)
    axis.locator_params(axis="y", nbins=5)
    axis.grid(visible=True, axis="y")
