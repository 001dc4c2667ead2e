"""The summary and the comparisons of a study on each of its test sets, the main one first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from taae.analysis.run_files import collect, read_table
from taae.analysis.tables.comparisons import COLUMNS, TESTS, compared, corrected, with_families
from taae.analysis.tables.scores import SUMMARY_COLUMNS, summary
from taae.corpus.config import MAIN
from taae.study.study import Study

SECONDARY = f"{TESTS}-secondary"


def tables_by_test(results: Path, study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables by name; the rows of the main set are those of its own tables."""
    scores = {test: collect(_score_files(results / "tests" / test, study)) for test in study.tests}
    main = {
        name: read_table(results / "tables" / f"{name}.csv", columns)
        for name, columns in (("summary", SUMMARY_COLUMNS), ("comparisons", COLUMNS))
    }
    return {
        "tests": summaries(scores, study, main["summary"]),
        "tests-comparisons": comparisons_on(scores, study, main["comparisons"]),
    }


def _score_files(folder: Path, study: Study) -> list[Path]:
    runs = [f"{name}/seed{seed}" for name in study.variants for seed in study.seeds_of(name)]
    runs += [f"codecs/{codec}" for codec in study.codecs]
    return [folder / "scores" / f"{run}.csv" for run in runs]


def summaries(scores: Mapping[str, pd.DataFrame], study: Study, main: pd.DataFrame) -> pd.DataFrame:
    """Return `taae.analysis.tables.scores.summary` of each test set, below `main`."""
    parts = [main[main["metric"].isin(study.computed)].assign(test=MAIN)]
    names = [*study.variants, *study.codecs]
    for test, rows in scores.items():
        parts.append(summary(rows, study, names, study.computed).assign(test=test))
    return pd.concat(parts, ignore_index=True)[["test", *SUMMARY_COLUMNS]]


def comparisons_on(
    scores: Mapping[str, pd.DataFrame], study: Study, main: pd.DataFrame
) -> pd.DataFrame:
    """Return the comparisons on each test set, below `main`, whose families stay as they are.

    Tests on the other sets are two families: `tests`, of the primary metrics of the ablations, and
    `tests-secondary`. The noise of training is that on the set itself.
    """
    others = [
        compared(rows, study, study.ablations, study.computed).assign(test=test)
        for test, rows in scores.items()
    ]
    parts = [main[main["metric"].isin(study.computed)].assign(test=MAIN)]
    elsewhere = with_families(pd.concat(others, ignore_index=True), TESTS)
    secondary = (elsewhere["family"] == TESTS) & ~elsewhere["primary"].astype(bool)
    elsewhere["family"] = elsewhere["family"].mask(secondary, SECONDARY)
    parts.append(corrected(elsewhere, (TESTS, SECONDARY)))
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(filled, ignore_index=True)[["test", *COLUMNS]]
