"""What tables of scores have in common: rows by variant and metric, contrasts of variants."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import pandas as pd

from taae.analysis.run_files import share_seeds, usable
from taae.analysis.statistics import Comparison, RunVariance, contrast
from taae.evaluation.metrics import METRICS
from taae.study.config import Statistics

Groups = dict[Any, pd.DataFrame]  # rows by variant and metric


def groups(scores: pd.DataFrame) -> Groups:
    """Return the rows by variant and metric; value is NaN where no mean could contain it."""
    values = scores["value"].where(usable(scores))
    return dict(iter(scores.assign(value=values).groupby(["variant", "metric"])))


def contrasted(
    found: Groups,
    weights: Mapping[str, float],
    metric: str,
    seedless: Set[str],
    statistics: Statistics,
    runs: RunVariance | None = None,
) -> Comparison:
    """Return `taae.analysis.statistics.contrast` of variants, by the weight of each.

    The scores of a name among `seedless` are repeated at every seed of the others.
    """
    nothing = next(iter(found.values())).iloc[:0]
    rows = {name: found.get((name, metric), nothing) for name in weights}
    return contrast(share_seeds(rows, seedless), list(weights.values()), statistics, runs)


def with_settings(table: pd.DataFrame, statistics: Statistics) -> pd.DataFrame:
    """Fill in the direction of the metrics, and the settings of the statistics."""
    better = table["metric"].map({name: metric.better for name, metric in METRICS.items()})
    return table.assign(
        direction=better.map({1: "higher", -1: "lower"}),
        confidence=statistics.confidence,
        resamples=statistics.resamples,
        resampling_seed=statistics.seed,
    )
