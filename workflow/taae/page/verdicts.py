"""findings.csv as the page shows it: a row per finding, with a small drawing of its interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from taae.analysis.findings.table import CHECKPOINTS, DIFFERENCE
from taae.analysis.findings.verdict import BETTER, EQUIVALENT, NOISES, UNDETERMINED, WORSE
from taae.analysis.tables.comparisons import CONFIRMATORY, CONTROL
from taae.analysis.tables.robustness import ROBUSTNESS
from taae.codec.operating_points import NATIVE, point_label
from taae.corpus.config import MAIN
from taae.evaluation.metrics import METRICS
from taae.evaluation.robustness.conditions import condition_label
from taae.utils.files import read_csv

TEXT = ["ablation", "variant", "reference", "effect", "metric", "point", "test", "condition"]
TEXT += ["role", "verdict", "scope", "sentence", "beyond_noise"]
KEY = ("ablation", "variant", "reference", "effect", "role")
NUMBERS = ["amount", "n_speakers", "difference", "low", "high", "noise", "margin"]
PLACE = ["ablation", "metric", "point", "test", "condition", "amount"]
SYMBOLS = {WORSE: "▼", BETTER: "▲", EQUIVALENT: "=", UNDETERMINED: "?"}
WIDTH = 160  # of a drawing, in its own units; zero is in the middle, better to the right


@dataclass(frozen=True)
class Finding:
    """A row of findings.csv as texts, and as places in a drawing (0 to `WIDTH`)."""

    ablation: str
    variant: str
    reference: str
    effect: str
    metric: str
    where: str
    """The operating point or test set; empty for the native point and the main set."""
    role: str
    verdict: str
    symbol: str
    within_noise: bool
    checkpoints: bool
    sentence: str
    difference: str
    interval: str
    noise: str
    drawing: dict[str, float]
    main: bool
    """Whether the ablation was declared for it, or it controls one that was."""
    telling: bool
    """Whether it belongs into the overview: main, or the primary metric changes elsewhere."""


def read_findings(path: Path) -> pd.DataFrame:
    """Read findings.csv."""
    return read_csv(path, [*TEXT, *NUMBERS], TEXT)


def findings(table: pd.DataFrame, primary: Mapping[str, str]) -> list[Finding]:
    """Return the rows of findings.csv, by the primary metric of each ablation.

    Those of one ablation, metric and place share the scale of their drawings.
    """
    scales = {
        key: _largest(rows.to_dict("records")) for key, rows in table.groupby(PLACE, sort=False)
    }
    return [
        _finding(row, scales[tuple(row[name] for name in PLACE)], primary)
        for row in table.to_dict("records")
    ]


def _largest(rows: Iterable[dict[Any, Any]]) -> float:
    values = [
        abs(value)
        for row in rows
        for value in (row["difference"], row["low"], row["high"], NOISES * row["noise"])
        if math.isfinite(value)
    ]
    return max(values, default=0.0) or 1.0


def _finding(row: dict[Any, Any], largest: float, primary: Mapping[str, str]) -> Finding:
    metric = METRICS[row["metric"]]
    digits = 3 if metric.unit else 4

    def signed(value: float) -> str:
        return "–" if math.isnan(value) else f"{value:+.{digits}f}".replace("-", "−")

    def place(value: float) -> float:
        return round(WIDTH / 2 * (1 + 0.94 * metric.better * value / largest), 1)

    ends = {"low": row["low"], "high": row["high"], "difference": row["difference"]}
    ends |= {"noise": NOISES * row["noise"], "margin": row["margin"]}
    shown = {name: place(v) for name, v in ends.items() if math.isfinite(v) and abs(v) <= largest}
    of_primary = row["metric"] == primary.get(row["ablation"])
    native = row["point"] == NATIVE and row["test"] == MAIN and row["effect"] != ROBUSTNESS
    controls = row["role"] == CONTROL and of_primary and native
    main = controls or row["role"] == CONFIRMATORY
    differs = row["verdict"] in (WORSE, BETTER) and row["role"] != CONTROL
    return Finding(
        **{name: row[name] for name in KEY},
        where="" if native else _where(row),
        metric=metric.heading,
        verdict=row["verdict"],
        symbol=SYMBOLS.get(row["verdict"], ""),
        within_noise=row["beyond_noise"] == "False",
        checkpoints=row["scope"] == CHECKPOINTS,
        sentence=row["sentence"],
        difference=signed(row["difference"]),
        interval=f"{signed(row['low'])} to {signed(row['high'])}",
        noise="unknown" if math.isnan(row["noise"]) else f"{row['noise']:.{digits}f}",
        drawing=shown,
        main=main,
        telling=main or (of_primary and differs and row["effect"] == DIFFERENCE),
    )


def _where(row: dict[Any, Any]) -> str:
    if row["effect"] == ROBUSTNESS:
        return f"with {condition_label(row['condition'], row['amount'])}"
    at = f"at {point_label(row['point'])}"
    return at if row["test"] == MAIN else f"on {row['test']}"
