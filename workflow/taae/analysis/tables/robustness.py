"""Hard conditions: what each changes, and whether it changes an arm more than its reference.

What a condition changes is the same model's paired difference from clean speech. The comparison of
two arms is the difference of these differences, by utterance; the noise of training is told by the
changes of arms that are the same by construction.

Families of tests: `robustness`, the primary metrics of the ablations; `robustness-secondary`, the
other metrics. Controls are in neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from taae.analysis.run_files import collect, read_table, usable
from taae.analysis.tables.changes import change_columns, changes, correct_changes
from taae.analysis.tables.comparisons import COLUMNS, compared, corrected
from taae.analysis.tables.scores import summary
from taae.evaluation.metrics import Status
from taae.evaluation.robustness.conditions import CLEAN
from taae.evaluation.robustness.config import SILENCE
from taae.study.study import Study

ROBUSTNESS, SECONDARY, CONTROLS = "robustness", "robustness-secondary", "robustness-control"
CONDITION = ["condition", "amount"]
ARM = ["variant", "metric"]


def robustness_tables(results: Path, study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables by name, from the files of `taae robustness`."""
    runs = [
        results / ROBUSTNESS / variant / f"seed{seed}.csv"
        for variant in study.robustness_arms
        for seed in study.seeds_of(variant)
    ]
    scores = read_conditions(runs)
    tables = {
        "robustness": robustness_summary(scores, study),
        "robustness-comparisons": robustness_comparisons(scores, study),
    }
    if study.robustness.silence:
        levels = [read_table(path.with_name(SILENCE + path.name), ["variant"]) for path in runs]
        tables["robustness-silence"] = pd.concat(levels)
    return tables


def read_conditions(paths: Iterable[Path]) -> pd.DataFrame:
    """Read the scores of several runs; `value` is NaN where no mean could contain it."""
    scores = collect(paths, CONDITION)
    return scores.assign(value=scores["value"].where(usable(scores)))


def robustness_summary(scores: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return the summary under each condition, and what it changes: results/README.md."""
    arms, metrics = study.robustness_arms, study.robustness.metrics
    clean = dict(iter(scores[scores["condition"] == CLEAN].groupby(ARM)))
    tables = []
    for rows in _by_condition(scores):
        table = summary(rows, study, arms, metrics)
        changed = rows.groupby("variant")["codes_changed"].mean()
        table.insert(0, "condition", rows["condition"].iloc[0])
        table.insert(1, "amount", rows["amount"].iloc[0])
        table.insert(2, "codes_changed", table["variant"].map(changed))
        here = dict(iter(rows.groupby(ARM)))
        found = [
            change_columns(changes(here[arm], clean[arm]), arm[1], study.statistics)
            for arm in table[ARM].itertuples(index=False, name=None)
        ]
        tables.append(table.join(pd.DataFrame(found)))
    table = pd.concat(tables, ignore_index=True)
    return correct_changes(table, table["condition"] != CLEAN)


def robustness_comparisons(scores: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return comparisons of the changes from clean speech, under each condition: the
    variant's change minus the reference's.

    An arm that is silent has no value, and would be judged by the utterances that survive: where
    more than `metrics.max_failed` are missing nothing is tested.
    """
    parts = []
    for rows in _by_condition(changed_scores(scores)):
        table = compared(
            rows,
            study,
            study.robustness_ablations,
            study.robustness.metrics,
            study.metrics.max_failed,
        )
        parts.append(table.assign(**rows[CONDITION].iloc[0]))
    table = pd.concat(parts, ignore_index=True)[[*CONDITION, *COLUMNS]]
    family = np.where(table["primary"], ROBUSTNESS, SECONDARY)
    family = np.where(table["control"], CONTROLS, family)
    return corrected(table.assign(family=family), (ROBUSTNESS, SECONDARY))


def changed_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores under each condition but clean speech, as changes from there."""
    key = [*ARM, "seed", "speaker", "utterance"]
    clean = scores["condition"] == CLEAN
    pairs = scores[~clean].merge(
        scores.loc[clean, [*key, "value"]], on=key, how="left", suffixes=("", "_clean")
    )
    return pairs.assign(value=pairs["value"] - pairs["value_clean"], status=Status.OK)


def _by_condition(scores: pd.DataFrame) -> list[pd.DataFrame]:
    return [rows for _, rows in scores.groupby(CONDITION, sort=False)]
