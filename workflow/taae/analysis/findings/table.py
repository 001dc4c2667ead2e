"""The findings of a study from its tables of differences: a row per difference, with a verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from taae.analysis.findings.verdict import NOISES, Evidence, verdict
from taae.analysis.findings.wording import sentence
from taae.analysis.statistics import RANDOM_SEEDS, RunVariance, holm
from taae.analysis.tables.comparisons import CONFIRMATORY, CONTROL, EXPLORATORY
from taae.analysis.tables.factorial import INTERACTION
from taae.analysis.tables.robustness import CONTROLS, ROBUSTNESS
from taae.codec.operating_points import NATIVE
from taae.corpus.config import MAIN as MAIN_SET
from taae.evaluation.metrics import METRICS
from taae.evaluation.robustness.conditions import CLEAN
from taae.study.study import Study

COLUMNS = [
    *["ablation", "variant", "reference", "effect", "metric", "point", "test", "condition"],
    *["amount", "role", "direction"],
    *["n_speakers", "n_seeds", "n_listeners"],
    *["difference", "low", "high", "confidence", "p", "p_adjusted"],
    *["family", "family_size", "noise", "noise_df", "beyond_noise", "margin", "equivalence_p"],
    *["detectable", "speakers_needed", "seeds_needed", "verdict", "scope", "sentence"],
]
DIFFERENCE, MAIN = "difference", "main effect"
TRAININGS, CHECKPOINTS = "trainings", "checkpoints"
FACTORIAL = "factorial"  # the family of effects


def findings(
    comparisons: pd.DataFrame,
    points: pd.DataFrame,
    factorial: pd.DataFrame,
    study: Study,
    tests: pd.DataFrame | None = None,
    robustness: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return a row per arm, metric and place where it was measured, and per crossed effect.

    A place is an operating point, a test set or a hard condition.

    results/README.md has the columns. Rows whose difference could not be tested are left out:
    comparisons.csv says why.

    Args:
        comparisons: of `taae.analysis.tables.comparisons`.
        points: of the same, at other operating points; native rows and repeated points are skipped.
        factorial: of `taae.analysis.tables.factorial`.
        study: with margins, and what its variants change.
        tests: of `taae.analysis.tables.tests`, on other test sets; the main one is skipped.
        robustness: of `taae.analysis.tables.robustness`, differences of changes from clean speech.
    """
    native = comparisons.assign(point=NATIVE)
    elsewhere = points[(points["point"] != NATIVE) & (points["same_as"].fillna("") == "")]
    parts = [native, elsewhere]
    if tests is not None:
        parts.append(tests[tests["test"] != MAIN_SET].assign(point=NATIVE))
    arms = pd.concat([part for part in parts if len(part)] or [native])
    arms = arms.assign(effect=DIFFERENCE, condition=CLEAN, amount=0.0)
    if robustness is not None and len(robustness):
        arms = pd.concat([arms, robustness.assign(point=NATIVE, effect=ROBUSTNESS)])
    roles = {CONFIRMATORY: CONFIRMATORY, CONTROL: CONTROL, CONTROLS: CONTROL}
    arms["role"] = arms["family"].map(roles).fillna(EXPLORATORY)
    references = {name: ablation.reference for name, ablation in study.ablations.items()}
    effects = factorial.assign(
        variant=factorial["effect"],
        reference=factorial["ablation"].map(references),
        effect=np.where(factorial["effect"] == INTERACTION, INTERACTION, MAIN),
        condition=CLEAN,
        amount=0.0,
        family=FACTORIAL,
        role=EXPLORATORY,
    )
    table = pd.concat([part for part in (arms, effects) if len(part)] or [arms], ignore_index=True)
    table = table[table["status"] == "ok"].reset_index(drop=True)
    table["test"] = table["test"].fillna(MAIN_SET) if "test" in table else MAIN_SET
    if table.empty:
        return pd.DataFrame(columns=COLUMNS)
    margins = study.statistics.margins
    table["margin"] = table["metric"].map(margins).astype(float)
    # Controls on other test sets are counted apart, so that the main set's stay as they are.
    tested = table["family"] + np.where(table["test"] == MAIN_SET, "", " elsewhere")
    table["family_size"] = table.groupby(tested)["family"].transform("size")
    judged = pd.DataFrame([_judged(row) for row in records(table)])
    table = table.drop(columns=list(judged.columns), errors="ignore").join(judged)
    table["p_adjusted"] = np.nan
    for family in tested.unique():
        here = tested == family
        table.loc[here, "p_adjusted"] = holm(table.loc[here, "p"])
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
    """Return the evidence of a row of comparisons or effects, its two parts apart."""
    half = (row["high"] - row["low"]) / 2
    error = half / float(stats.t.ppf(0.5 + row["confidence"] / 2, row["df"]))
    df = row["df"]
    if RunVariance(row["noise"] ** 2, row["noise_df"]).is_known(row["n_seeds"]):
        error, df = math.sqrt(max(error**2 - row["noise"] ** 2, 0.0)), row["n_speakers"] - 1
    return Evidence(
        row["difference"],
        error,
        df,
        row["noise"],
        row["noise_df"],
        row["n_speakers"],
        row["n_seeds"],
    )


def _judged(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the evidence of a row says."""
    found, confidence, margin = evidence(row), row["confidence"], row["margin"]
    low, high = found.interval(confidence)
    # What would be shown however the others of its family turn out: at the first step of Holm.
    strict = 1 - (1 - confidence) / row["family_size"]
    over_trainings = row["n_seeds"] >= RANDOM_SEEDS or found.noise_known
    # Listeners, and seeds whose variance is not pooled, are in the error too, and no more of them
    # come with more speakers.
    speakers = found.speakers_for(margin, strict)
    if METRICS[row["metric"]].rated or (over_trainings and not found.noise_known):
        speakers = math.nan
    beyond = abs(row["difference"]) > NOISES * row["noise"] if found.noise_known else None
    return {
        "low": low,
        "high": high,
        "p": found.p(),
        "equivalence_p": found.equivalence_p(margin),
        "detectable": float(found.detectable(strict)),
        "speakers_needed": speakers,
        "seeds_needed": found.seeds_for(margin, strict),
        "beyond_noise": beyond,
        "scope": TRAININGS if over_trainings else CHECKPOINTS,
    }
