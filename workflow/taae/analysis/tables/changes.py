"""What a condition changes: the same model's scores under it minus its scores at home, paired."""

from __future__ import annotations

from typing import Any

import pandas as pd

from taae.analysis.statistics import PAIR, compare, holm
from taae.evaluation.metrics import METRICS
from taae.study.config import Statistics


def changes(here: pd.DataFrame, home: pd.DataFrame) -> pd.DataFrame:
    """Return the changes of a model's values, with the columns of `PAIR` and `value`.

    The value is NaN where one of the two has none.
    """
    pairs = here[[*PAIR, "value"]].merge(
        home[[*PAIR, "value"]], on=PAIR, how="outer", suffixes=("", "_home")
    )
    return pairs[PAIR].assign(value=pairs["value"] - pairs["value_home"])


def change_columns(change: pd.DataFrame, metric: str, statistics: Statistics) -> dict[str, Any]:
    """Return the mean change over speakers with its interval and test, and whether it is worse."""
    found = compare(change, change.assign(value=0.0), statistics)
    worst = found.high if METRICS[metric].better > 0 else -found.low
    return {
        "change": found.mean,
        "change_low": found.low,
        "change_high": found.high,
        "change_p": found.p,
        "worse": worst < 0,
    }


def correct_changes(table: pd.DataFrame, away: pd.Series) -> pd.DataFrame:
    """Add `change_p_holm`, corrected over all rows that are `away` from home."""
    corrected = pd.Series(holm(table.loc[away, "change_p"]), table.index[away])
    return table.assign(change_p_holm=corrected)
