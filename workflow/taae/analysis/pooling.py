"""The mean score of several utterances: pooled where a metric is a rate, and plain elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

WEIGHT = "weight"  # column of scores: of a rate the number that it is a share of, such as words


def pooled(values: pd.DataFrame, by: Sequence[str]) -> pd.Series:
    """Return the mean `value` of each group of rows, by their `WEIGHT` where they have one.

    The mean of rates by what they are shares of is the rate of all together: errors per word of a
    speaker, whatever the utterances' lengths. A row without a weight has the weight 1.
    """
    if not is_weighted(values):
        return values.groupby(list(by))["value"].mean()
    weight = values[WEIGHT].fillna(1.0)
    parts = values.assign(value=values["value"] * weight, **{WEIGHT: weight})
    sums = parts.groupby(list(by))[["value", WEIGHT]].sum()
    return sums["value"] / sums[WEIGHT]


def is_weighted(values: pd.DataFrame) -> bool:
    """Whether any row has a weight."""
    return WEIGHT in values and bool(values[WEIGHT].notna().any())
