"""The findings of a study from its tables of differences: a row per difference, with a verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from taae.analysis.findings.verdict import LEAST_DF, NOISES, Evidence, verdict
from taae.analysis.findings.wording import sentence
from taae.analysis.statistics import RANDOM_SEEDS, holm
from taae.analysis.tables.comparisons import CONTROL, EXPLORATORY
from taae.analysis.tables.factorial import INTERACTION
from taae.codec.operating_points import NATIVE
from taae.evaluation.metrics import METRICS
from taae.study.study import Study

COLUMNS = [
    *["ablation", "variant", "reference", "effect", "metric", "point", "role", "direction"],
    *[
        "n_speakers",
        "n_seeds",
        "n_listeners",
        "difference",
        "low",
        "high",
        "confidence",
        "p",
        "p_adjusted",
    ],
    *["family", "family_size", "noise", "noise_df", "beyond_noise", "margin", "equivalence_p"],
    *["detectable", "speakers_needed", "seeds_needed", "verdict", "scope", "sentence"],
]
DIFFERENCE, MAIN = "difference", "main effect"
TRAININGS, CHECKPOINTS = "trainings", "checkpoints"
POINTS, FACTORIAL = "points", "factorial"


def findings(
    comparisons: pd.DataFrame, points: pd.DataFrame, factorial: pd.DataFrame, study: Study
) -> pd.DataFrame:
    """Return a row per arm, metric and operating point, and per effect of crossed changes.

    results/README.md has the columns. Rows whose difference could not be tested are left out:
    comparisons.csv says why.

    Args:
        comparisons: of `taae.analysis.tables.comparisons`.
        points: of the same, at other operating points; native rows and repeated points are skipped.
        factorial: of `taae.analysis.tables.factorial`.
        study: with margins, and what its variants change.
    """
    native = comparisons.assign(effect=DIFFERENCE, point=NATIVE)
    native["role"] = native["family"].replace({"": EXPLORATORY})
    elsewhere = points[(points["point"] != NATIVE) & (points["same_as"].fillna("") == "")]
    elsewhere = elsewhere.assign(effect=DIFFERENCE, family=POINTS, role=EXPLORATORY)
    control = elsewhere["control"].astype(bool)
    elsewhere = elsewhere.assign(
        family=elsewhere["family"].mask(control, CONTROL),
        role=elsewhere["role"].mask(control, CONTROL),
    )
    references = {name: ablation.reference for name, ablation in study.ablations.items()}
    effects = factorial.assign(
        variant=factorial["effect"],
        reference=factorial["ablation"].map(references),
        effect=np.where(factorial["effect"] == INTERACTION, INTERACTION, MAIN),
        family=FACTORIAL,
        role=EXPLORATORY,
    )
    table = pd.concat([native, elsewhere, effects], ignore_index=True)
    table = table[table["status"] == "ok"].reset_index(drop=True)
    if table.empty:
        return pd.DataFrame(columns=COLUMNS)
    margins = study.statistics.margins
    table["margin"] = table["metric"].map(margins).astype(float)
    judged = [_judged(row) for row in records(table)]
    table = table.drop(columns=[*judged[0], "p"], errors="ignore").join(pd.DataFrame(judged))
    table = _adjusted(table)
    table["verdict"] = [
        verdict(
            row["difference"],
            METRICS[row["metric"]].better,
            row["p_adjusted"],
            row["equivalence_p"],
            row["confidence"],
        )
        for row in records(table)
    ]
    table["sentence"] = [sentence(row, study) for row in records(table)]
    return table[COLUMNS]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table by the names of its columns."""
    return [
        dict(zip(table.columns, values, strict=True))
        for values in table.itertuples(index=False, name=None)
    ]


def evidence(row: dict[str, Any]) -> Evidence:
    """Return the evidence of a row of comparisons or effects."""
    half = (row["high"] - row["low"]) / 2
    error = half / float(stats.t.ppf(0.5 + row["confidence"] / 2, row["df"]))
    pooled = row["n_seeds"] >= RANDOM_SEEDS  # the noise of training is in the interval
    return Evidence(
        row["difference"],
        error,
        row["df"],
        math.nan if pooled else row["noise"],
        math.nan if pooled else row["noise_df"],
        row["n_speakers"],
        row["n_seeds"],
    )


def _judged(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the evidence of a row says, before any correction."""
    found, confidence, margin = evidence(row), row["confidence"], row["margin"]
    low, high = found.interval(confidence)
    over_trainings = row["n_seeds"] >= RANDOM_SEEDS or found.noise_known
    known = row["noise_df"] >= LEAST_DF
    return {
        "low": low,
        "high": high,
        "p": found.p(),
        "equivalence_p": found.equivalence_p(margin),
        "detectable": found.detectable(confidence),
        "speakers_needed": found.speakers_for(margin, confidence),
        "seeds_needed": found.seeds_for(margin, confidence),
        "beyond_noise": abs(row["difference"]) > NOISES * row["noise"] if known else None,
        "scope": TRAININGS if over_trainings else CHECKPOINTS,
    }


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """Fill in p, corrected within each family."""
    table = table.assign(p_adjusted=table["p"], family_size=1)
    for family in table["family"].unique():
        here = table["family"] == family
        table.loc[here, "p_adjusted"] = holm(table.loc[here, "p"])
        table.loc[here, "family_size"] = int(here.sum())
    return table
