"""What the files of runs hold: scores, checked, with seeds that can be paired. No scipy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path

import numpy as np
import pandas as pd

from taae.analysis.pooling import WEIGHT, is_weighted
from taae.evaluation.metrics import COUNTED, METRICS
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv

SCORE_KEY = ["run", "variant", "seed", "utterance", "speaker", "metric", "status"]
SCORE_COLUMNS = [*SCORE_KEY, "settings", "value", "message"]
LISTENER = "listener"  # a column that scores from a listening test have besides
SCORE_TEXT = [name for name in [*SCORE_COLUMNS, LISTENER] if name not in ("seed", "value")]
RUN = ["variant", "seed", "point"]
# Columns that are text whatever a person calls an arm, a speaker or a test set: 32 and 007 too.
NAMES = ["ablation", "reference", "variant", "effect", "key", "point", "same_as", "test"]
NAMES += ["condition", "arms", "note", *SCORE_TEXT]


def read_table(path: Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table of the analysis or of a run as `read_csv` does, names as text."""
    return read_csv(path, columns, NAMES)


def read_runs(folder: Path, runs: Sequence[tuple[str | int, ...]], name: str) -> pd.DataFrame:
    """Read `folder`/VARIANT/seedSEED[/POINT]/`name` of each run; the run is the first columns."""
    tables = [
        read_table(folder.joinpath(str(variant), f"seed{seed}", *map(str, point), name))
        for variant, seed, *point in runs
    ]
    joined = pd.concat(tables, keys=runs, names=RUN[: len(runs[0])])
    return joined.droplevel(-1).reset_index()


def collect(paths: Iterable[Path], place: Sequence[str] = ()) -> pd.DataFrame:
    """Read score files into one table, checked: what cannot be compared is refused.

    `place` are more columns of the files, by which scores of one utterance may differ.
    """
    tables = []
    for path in paths:
        table = read_table(path, [*place, *SCORE_COLUMNS])
        if not len(table):
            raise TaaeError(f"{path}: has no rows; score again")
        for column in SCORE_KEY:
            if table[column].isna().any():
                line = int(table[column].isna().to_numpy().argmax()) + 2
                raise TaaeError(f"{path}: line {line}: no {column}; every row of scores needs one")
        tables.append(table)
    scores = pd.concat(tables, ignore_index=True)
    # They would be paired each with each.
    one = ["variant", "seed", "utterance", "metric", LISTENER, *place]
    one = [name for name in one if name in scores]
    twice = scores[scores.duplicated(one, keep=False)]
    if len(twice):
        row = twice.iloc[0]
        same = (twice["variant"] == row["variant"]) & (twice["seed"] == row["seed"])
        raise TaaeError(
            f"scores: variant '{row['variant']}' with seed {row['seed']} has {row['metric']} of"
            f" utterance '{row['utterance']}' twice, from {', '.join(twice[same]['run'].unique())};"
            " give each score file once, and score each run with a --variant or --seed of its own"
        )
    _check_weights(scores)
    for metric in scores["metric"].unique():
        settings = sorted(scores.loc[scores["metric"] == metric, "settings"].dropna().unique())
        if metric not in METRICS:
            raise TaaeError(f"scores: unknown metric '{metric}'; there are {', '.join(METRICS)}")
        if len(settings) > 1:
            raise TaaeError(
                f"scores: {metric} was measured with several settings"
                f" ({', '.join(settings)}) that do not compare; score all runs alike"
            )
    return scores


def _check_weights(scores: pd.DataFrame) -> None:
    """Refuse rates of one utterance that are shares of different numbers of words."""
    if not is_weighted(scores):
        return
    counts = scores.groupby(["metric", "utterance"])[WEIGHT].nunique().reset_index()
    differing = counts[counts[WEIGHT] > 1]
    if len(differing):
        row = differing.iloc[0]
        raise TaaeError(
            f"scores: {row['metric']} of utterance '{row['utterance']}' was measured against"
            " several transcripts or references, which do not compare; score all runs alike"
        )


def usable(scores: pd.DataFrame) -> pd.Series:
    """Return whether a mean could contain the value of each row."""
    finite: pd.Series = np.isfinite(scores["value"])
    return finite & scores["status"].isin(COUNTED)


def share_seeds(rows: Mapping[str, pd.DataFrame], seedless: Set[str]) -> list[pd.DataFrame]:
    """Return the rows of variants so that their seeds can be paired.

    The scores of a name among `seedless`, which no seed changes, are repeated at every seed of the
    others; where none has one, at the seed of the first.
    """
    fixed = {
        name for name, own in rows.items() if name in seedless and len(set(own["seed"])) == 1
    }  # rows of several seeds would meet each other
    others = [own for name, own in rows.items() if name not in fixed and len(own)]
    others = others or [own for own in rows.values() if len(own)][:1]
    seeds = pd.DataFrame({"seed": sorted({seed for own in others for seed in own["seed"]})})
    return [
        own.drop(columns="seed").merge(seeds, how="cross") if name in fixed else own
        for name, own in rows.items()
    ]


def untrained(scores: pd.DataFrame) -> set[str]:
    """Return the names that scores alone, without their study, show to be untrained.

    These are other codecs: their run has their own name and seed 0, the defaults of `taae score`.
    A pretrained variant is not among them: its run is named as if it had been trained.
    """
    trained = (scores["run"] != scores["variant"]) | (scores["seed"] != 0)
    return set(scores["variant"]) - set(scores.loc[trained, "variant"])
