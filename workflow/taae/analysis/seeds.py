"""Seeds of what has none: a run without a training is paired with every seed of the other."""

from __future__ import annotations

from collections.abc import Set

import pandas as pd


def share_seeds(
    names: tuple[str, str], rows: tuple[pd.DataFrame, pd.DataFrame], seedless: Set[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of two variants so that their seeds can be paired.

    Args:
        names: of the two.
        rows: of each, with a column seed.
        seedless: names of what no seed has an effect on; its one seed stands for those of the
            other.
    """
    one, other = rows
    if names[0] in seedless:
        one = _at_seeds_of(one, other)
    if names[1] in seedless:
        other = _at_seeds_of(other, one)
    return one, other


def _at_seeds_of(rows: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    # Rows of several seeds would meet each other; without seeds in `other` none would be left.
    if len(set(rows["seed"])) != 1 or other.empty:
        return rows
    seeds = other[["seed"]].drop_duplicates()
    return rows.drop(columns="seed").merge(seeds, how="cross")


def untrained(scores: pd.DataFrame) -> set[str]:
    """Return what scores alone, without their study, show to be of no training.

    Such are other codecs: their run has their own name and seed 0, which also are the defaults of
    `taae score`. A pretrained variant is not among them: its run is named as a training's is.
    """
    trained = (scores["run"] != scores["variant"]) | (scores["seed"] != 0)
    return set(scores["variant"]) - set(scores.loc[trained, "variant"])
