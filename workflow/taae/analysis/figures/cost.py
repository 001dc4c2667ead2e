"""What each arm costs, as a figure."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.figure import Figure

from taae.analysis.figures.style import BLUE, GREY, PAGE, arm_rows, panels, title
from taae.study.study import Study

SHOWN = {
    "latency_ms": "algorithmic latency (ms)",
    "look_ahead_ms": "look-ahead (ms)",
    "receptive_field_ms": "receptive field (ms)",
    "flops_per_second": "MFLOP per second of audio",
    "rtf": "computing time / audio",
    "chunk_ms_median": "one streamed frame (ms)",
    "state_kib": "state of a stream (KiB)",
    "peak_mib": "memory for 10 s of audio (MiB)",
    "parameters": "parameters (millions)",
}
SCALE = {"flops_per_second": 1e-6, "parameters": 1e-6}
TAIL = {"chunk_ms_median": "chunk_ms_p99"}  # drawn beside the median
STREAMED = ("chunk_ms_median", "state_kib")  # empty where a codec does not stream


def cost(_study: Study, table: pd.DataFrame) -> Figure:
    """Draw each cost, a panel each, an arm a row; costs that no arm has are left out."""
    shown = [name for name in SHOWN if table[name].notna().any()]
    arms = table["variant"].tolist()
    rows = range(len(arms))
    figure, axes, _ = panels(len(shown), 3, PAGE, 0.5 + 0.17 * len(arms), 0.45, sharey=True)
    for axis, name in zip(axes, shown, strict=True):
        scale = SCALE.get(name, 1.0)
        values = table[name].astype(float) * scale
        tail = table[TAIL.get(name, name)].astype(float) * scale
        axis.hlines(rows, values, tail, color=BLUE, linewidth=1.0)
        axis.plot(values, rows, "o", color=BLUE)
        for row, (value, last) in enumerate(zip(values, tail, strict=True)):
            if math.isfinite(value):
                # Beside the point: what lies near 0 of a wide axis could not be read.
                axis.annotate(
                    _text(value) if last == value else f"{_text(value)} to {_text(last)}",
                    (max(value, last), row),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=6,
                ).set_in_layout(False)
            elif name in STREAMED:
                axis.text(0, row, " looks ahead", va="center", fontsize=6, color=GREY)
        axis.set_xlim(0, max(tail.max() * 1.35, 1e-9))
        axis.locator_params(axis="x", nbins=4)  # more labels of four digits would meet
        axis.set_title(SHOWN[name], loc="left")
        arm_rows(axis, arms)
    title(
        figure,
        "What each arm costs, on one thread of a CPU",
        "a streamed frame: median, and a line to the 99th percentile",
    )
    return figure


def _text(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
