"""Metrics against length: the table of the length study.

Every length holds the same voices, so a length is compared with the length of the training,
speaker by speaker. Where the interval of the change lies on the worse side, the model breaks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from taae.analysis.run_files import SCORE_COLUMNS, SCORE_TEXT
from taae.analysis.statistics import compare
from taae.analysis.tables.scores import summary
from taae.study.study import Study
from taae.utils.files import read_csv


def length_summary(paths: Iterable[Path], study: Study) -> pd.DataFrame:
    """Return the summary of each length: a row per seconds, variant and metric.

    `home` is the length nearest to the training segments; `change` the paired difference from
    there, with its interval `change_low` to `change_high`; `worse` is true where all of the
    interval is worse. A pretrained variant has no home, so its change is NaN and it is not worse.
    """
    scores = pd.concat([read_csv(path, ["seconds", *SCORE_COLUMNS], SCORE_TEXT) for path in paths])
    tables = {
        seconds: summary(rows, study, study.length_arms, study.lengths.metrics)
        for seconds, rows in scores.groupby("seconds")
    }
    table = pd.concat(tables, names=["seconds"]).droplevel(-1).reset_index()
    return table.join(pd.DataFrame([_change(row, scores, study) for row in table.itertuples()]))


def _change(row: Any, scores: pd.DataFrame, study: Study) -> dict[str, float | bool]:
    """Return how a row's scores differ from those at the length of the training."""
    variant = study.variants[row.variant]
    if variant.pretrained:  # its `training` is the baseline's, not what it was trained on
        unknown = dict.fromkeys(("home", "change", "change_low", "change_high"), math.nan)
        return unknown | {"worse": False}
    segment = variant.training.segment
    home = min(scores["seconds"].unique(), key=lambda each: abs(math.log(each / segment)))
    mine = scores[(scores["variant"] == row.variant) & (scores["metric"] == row.metric)]
    # One utterance per speaker and length, whose name has the length in it.
    mine = mine.assign(utterance=mine["speaker"]).replace({"value": [math.inf]}, math.nan)
    here, there = (mine[mine["seconds"] == seconds] for seconds in (row.seconds, home))
    found = compare(here, there, study.statistics)
    worst = found.high if row.direction == "higher" else -found.low
    return {
        "home": home,
        "change": found.mean,
        "change_low": found.low,
        "change_high": found.high,
        "worse": worst < 0,
    }
