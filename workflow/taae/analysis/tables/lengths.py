"""Metrics against length: the tables of the length study.

Every length holds the same samples. What a length changes is the same model's difference between
two decodings of them, window by window of a speaker; whether another window changes it is a
difference of these differences.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from taae.analysis.run_files import collect, share_seeds, usable
from taae.analysis.statistics import compare, holm
from taae.analysis.tables.changes import change_columns, changes, correct_changes
from taae.analysis.tables.scores import summary
from taae.evaluation.metrics import METRICS
from taae.study.checks import coverage_at
from taae.study.study import Study
from taae.utils.sample_rate import SAMPLE_RATE

COMPARED = [
    *["ablation", "reference", "variant", "control", "seconds", "home", "vacuous"],
    *["metric", "direction", "n_utterances", "n_speakers", "n_seeds", "n_excluded"],
    *["difference", "low", "high", "method", "confidence", "statistic", "df", "p", "p_holm"],
    *["family_size", "status", "scope"],
]

Changes = dict[tuple[str, str, float], pd.DataFrame]  # by variant, metric and length


def length_tables(paths: Iterable[Path], study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables of the length study by name, from the scores of `taae lengths`."""
    scores = collect(paths, ["seconds", "cut"])
    return {
        "lengths": length_summary(scores, study),
        "lengths-comparisons": length_comparisons(scores, study),
    }


def length_summary(scores: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return the summary of each length: a row per seconds, variant and metric.

    `home` is the length nearest to the training segments, `change` the paired difference of the
    same pieces from there, with its interval `change_low` to `change_high`, `change_p` and,
    corrected over all changes, `change_p_holm`; `worse` is true where all of the interval is worse;
    `sees_all` where the window removes no pair of a piece's attention.
    """
    home = scores["variant"].map(study.home_length)
    here = scores[scores["cut"] == np.minimum(scores["seconds"], home)]
    tables = {
        seconds: summary(rows, study, study.length_arms, study.lengths.metrics)
        for seconds, rows in here.groupby("seconds")
    }
    table = pd.concat(tables, names=["seconds"]).droplevel(-1).reset_index()
    known = _changes(scores, study)
    rows = [_change(row, known, study) for row in table.itertuples()]
    table = table.join(pd.DataFrame(rows))
    return correct_changes(table, table["seconds"] != table["home"])


def length_comparisons(scores: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return a row per variant, length and metric: its change from home minus the reference's.

    results/README.md has the columns. Rows in which neither window removes anything at that length
    are `vacuous`: they test no window, and are not in the family of Holm's correction.
    """
    name, known = study.lengths.ablation, _changes(scores, study)
    ablation = study.ablations[name]
    rows = []
    for seconds, variant, metric in product(
        study.lengths.seconds, ablation.variants, study.lengths.metrics
    ):
        names = variant, ablation.reference
        home, other = map(study.home_length, names)
        if seconds == home or home != other:  # the same pieces of both are needed
            continue
        pair = {name: known[name, metric, seconds] for name in names}
        one, reference = share_seeds(pair, study.seedless)
        found = compare(one, reference, study.statistics)
        label = {
            "ablation": name,
            "reference": ablation.reference,
            "variant": variant,
            "control": variant in ablation.controls,
            "seconds": seconds,
            "home": home,
            "vacuous": all(_sees_all(study, each, seconds) for each in names),
            "metric": metric,
            "direction": "higher" if METRICS[metric].better > 0 else "lower",
            "confidence": study.statistics.confidence,
        }
        rows.append(label | vars(found) | {"difference": found.mean})
    table = pd.DataFrame(rows, columns=COMPARED)
    tested = table.index[~table["vacuous"].astype(bool)]
    table["p_holm"] = pd.Series(holm(table.loc[tested, "p"]), tested, dtype=float)
    table["family_size"] = len(tested)
    return table


def _changes(scores: pd.DataFrame, study: Study) -> Changes:
    """Return the values of each length's pieces minus the same pieces' values at home."""
    scores = scores.assign(value=scores["value"].where(usable(scores)))
    columns = ["variant", "metric", "seconds", "cut"]
    groups = dict(iter(scores.groupby(columns)))
    nothing = scores.iloc[:0]
    found: Changes = {}
    for variant, metric, seconds in product(
        study.length_arms, study.lengths.metrics, study.lengths.seconds
    ):
        home = study.home_length(variant)
        cut = min(seconds, home)
        here, there = (
            groups.get((variant, metric, length, cut), nothing) for length in (seconds, home)
        )
        found[variant, metric, seconds] = changes(here, there)
    return found


def _change(row: Any, known: Changes, study: Study) -> dict[str, float | bool]:
    """Return how a row's scores differ from those of the same pieces at home."""
    change = known[row.variant, row.metric, row.seconds]
    home = study.home_length(row.variant)
    return {
        "cut": min(row.seconds, home),
        "home": home,
        **change_columns(change, row.metric, study.statistics),
        "sees_all": _sees_all(study, row.variant, row.seconds),
    }


def _sees_all(study: Study, variant: str, seconds: float) -> bool:
    """Whether a variant's window removes no pair of attention at this length, at any rate."""
    shares = coverage_at(study.variants[variant], round(seconds * SAMPLE_RATE))
    return bool(shares) and all(share == 0 for _, _, share in shares)
