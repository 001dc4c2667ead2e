"""Scores as the files hold them: read, checked, and with seeds that can be paired. No scipy."""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

import pandas as pd

from taae.evaluation.metrics import METRICS
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv

SCORE_KEY = ["run", "variant", "seed", "utterance", "speaker", "metric", "status"]
SCORE_COLUMNS = [*SCORE_KEY, "settings", "value", "message"]
SCORE_TEXT = [name for name in SCORE_COLUMNS if name not in ("seed", "value")]


def collect(paths: Iterable[Path]) -> pd.DataFrame:
    """Read score files into one table.

    Raises:
        TaaeError: a file lacks a column, a row lacks its key, a run, or a variant and seed, scores
            an utterance twice with one metric, a metric is unknown or was measured with several
            settings.
    """
    tables = []
    for path in paths:
        table = read_csv(path, SCORE_COLUMNS, SCORE_TEXT)
        for column in SCORE_KEY:
            if table[column].isna().any():
                row = int(table[column].isna().to_numpy().argmax()) + 2
                raise TaaeError(f"{path}: line {row}: no {column}; every row of scores needs one")
        tables.append(table)
    if not tables:
        raise TaaeError("no score files: give at least one")
    scores = pd.concat(tables, ignore_index=True)
    _check(scores)
    return scores


def _check(scores: pd.DataFrame) -> None:
    twice = scores[scores.duplicated(["run", "utterance", "metric"])]
    if len(twice):
        row = twice.iloc[0]
        raise TaaeError(
            f"scores: run '{row['run']}' has {row['metric']} of utterance '{row['utterance']}'"
            " twice; give each score file once"
        )
    twice = scores[scores.duplicated(["variant", "seed", "utterance", "metric"], keep=False)]
    if len(twice):  # they would be paired each with each
        row = twice.iloc[0]
        same = (twice["variant"] == row["variant"]) & (twice["seed"] == row["seed"])
        runs = ", ".join(sorted(twice.loc[same, "run"].unique()))
        raise TaaeError(
            f"scores: the runs {runs} are all of variant '{row['variant']}' and seed {row['seed']};"
            " score each with a --variant or --seed of its own"
        )
    for metric in scores["metric"].unique():
        if metric not in METRICS:
            raise TaaeError(f"scores: unknown metric '{metric}'; there are {', '.join(METRICS)}")
        settings = scores.loc[scores["metric"] == metric, "settings"].dropna().unique()
        if len(settings) > 1:
            raise TaaeError(
                f"scores: {metric} was measured with several settings"
                f" ({', '.join(sorted(settings))}) that do not compare; score all runs alike"
            )


def share_seeds(
    names: tuple[str, str], rows: tuple[pd.DataFrame, pd.DataFrame], seedless: Set[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of two variants so that their seeds can be paired.

    Args:
        names: of the two.
        rows: of each, with a column seed.
        seedless: names of variants and codecs that no seed changes; their scores are repeated at
            every seed of the other.
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
    """Return the names that scores alone, without their study, show to be untrained.

    These are other codecs: their run has their own name and seed 0, the defaults of `taae score`.
    A pretrained variant is not among them: its run is named as if it had been trained.
    """
    trained = (scores["run"] != scores["variant"]) | (scores["seed"] != 0)
    return set(scores["variant"]) - set(scores.loc[trained, "variant"])
