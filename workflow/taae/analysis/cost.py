"""What each arm costs: the table of all models and its figure."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from taae.analysis.style import BLUE, PAGE, panels, save, styled
from taae.errors import TaaeError
from taae.study import Study

SHOWN = {
    "latency_ms": "algorithmic latency (ms)",
    "receptive_field_ms": "receptive field (ms)",
    "flops_per_second": "MFLOP per second of audio",
    "rtf": "computing time / audio (1 thread)",
    "chunk_ms_median": "one streamed frame, median (ms)",
    "state_kib": "state of a stream (KiB)",
    "peak_mib": "memory to run (MiB)",
    "parameters": "parameters (millions)",
}
SCALE = {"flops_per_second": 1e-6, "parameters": 1e-6}


def cost_table(folder: Path, study: Study) -> pd.DataFrame:
    """Return a row per arm of the cost study; `folder` holds VARIANT.json of `taae cost`."""
    rows = []
    for name in study.cost_arms:
        path = folder / f"{name}.json"
        try:
            measured = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TaaeError(f"{path}: not the costs of a model ({error})") from error
        attention = study.variants[name].attention
        rows.append(
            {
                "variant": name,
                "window": attention.window,
                "causal": attention.causal,
                "kind": study.variants[name].model.kind,
                **measured,
            }
        )
    return pd.DataFrame(rows)


def cost_figure(table: pd.DataFrame, stem: Path) -> None:
    """Draw each cost, a panel each, an arm a row; costs that no arm has are left out."""
    shown = [name for name in SHOWN if table[name].notna().any()]
    arms = table["variant"].tolist()
    with styled():
        figure, axes, _ = panels(len(shown), 4, PAGE, 0.45 + 0.17 * len(arms), 0.4, sharey=True)
        for axis, name in zip(axes, shown, strict=True):
            values = table[name].astype(float) * SCALE.get(name, 1.0)
            axis.plot(values, range(len(arms)), "o", color=BLUE, markersize=4)
            axis.set_xlim(0, values.max() * 1.1)
            axis.set_title(SHOWN[name], loc="left")
            axis.grid(visible=True)
        axes[0].set_yticks(range(len(arms)), arms)
        axes[0].set_ylim(len(arms) - 0.5, -0.5)
        figure.suptitle("What each arm costs, on a CPU", x=0.01, ha="left", fontsize=8)
        save(figure, stem)
