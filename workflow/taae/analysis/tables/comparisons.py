"""Arms against their references: natively, at other operating points, and what chance does.

Families of tests are corrected (Holm) each by itself: `confirmatory`, the primary metrics of the
arms that the study declares, natively; `exploratory`, the other metrics; `points`, other operating
points; `tests` and `tests-secondary`, primary and other metrics on test sets beside the main one.
Rows of a `control`, whose effect is nil by construction, are in none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from taae.analysis.run_files import untrained
from taae.analysis.statistics import RunVariance, holm, joint_error
from taae.analysis.tables.rows import contrasted, groups, with_settings
from taae.analysis.training_noise import by_arm, speaker_means, training_noise
from taae.codec.operating_points import NATIVE
from taae.evaluation.metrics import METRICS
from taae.study.config import Ablation, Statistics
from taae.study.study import Study
from taae.utils.errors import TaaeError
from taae.utils.log import log

COLUMNS = [
    *["ablation", "reference", "variant", "control", "primary", "metric", "direction"],
    *["n_utterances", "n_speakers", "n_seeds", "n_listeners", "n_excluded", "difference"],
    *["low", "high", "method", "confidence", "statistic", "df", "p", "p_holm"],
    *["family", "family_size", "wilcoxon_p", "d_z", "rank_biserial", "noise", "noise_df"],
    *["status", "scope", "bootstrap_low", "bootstrap_high", "resamples", "resampling_seed"],
]
DETECTABLE = 1.960 + 0.842  # normal quantiles: two-sided 5 %, power 80 %
CONFIRMATORY, EXPLORATORY, CONTROL = "confirmatory", "exploratory", "control"
POINTS, TESTS = "points", "tests"
UNTESTED = {
    "no_pairs": "no score of the same utterance, speaker and seed",
    "too_few": "one speaker; the unit of the test is the speaker",
    "constant": "the differences of all speakers are equal",
}
Runs = Mapping[tuple[str, str], RunVariance]  # by variant and metric


def comparisons(scores: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return a row per ablation, variant and metric: the variant minus the reference.

    `noise` is what chance does to the difference, see `noise_of`; in a control's row it comes from
    the other runs alone. Scores without a seed are repeated at every seed of the other.
    """
    return with_families(compared(scores, study, study.ablations, study.metrics.names))


def comparisons_at(
    points: Mapping[str, pd.DataFrame],
    study: Study,
    metrics: Sequence[str],
    native: pd.DataFrame,
) -> pd.DataFrame:
    """Return the comparisons of the arms that are decoded at other operating points, at each point.

    `same_as` names an earlier point at which both arms have the very same scores: there is nothing
    new at such a point, and no test of it in any family.

    Args:
        points: the scores of all these arms, by operating point, the native one first.
        study: with `bitrates.ablations`.
        metrics: that are scored at all points.
        native: `comparisons`, whose rows stand for the native point.
    """
    probed = {
        name: study.ablations[name] for name in study.bitrates.ablations if name in study.ablations
    }
    here = native["ablation"].isin(list(probed)) & native["metric"].isin(list(metrics))
    found = {NATIVE: native[here].assign(same_as="")}
    earlier = same_scores(points)
    for point, scores in points.items():
        if point != NATIVE:
            table = compared(scores, study, probed, metrics)
            arms = table[["variant", "reference"]].astype(str).itertuples(index=False, name=None)
            table["same_as"] = [same_point(point, pair, earlier) for pair in arms]
            found[point] = table
    away = [table.assign(point=point) for point, table in found.items() if point != NATIVE]
    parts = [found[NATIVE].assign(point=NATIVE)]
    if away:
        parts.append(with_families(pd.concat(away, ignore_index=True), POINTS))
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return table[["point", "same_as", *COLUMNS]]


def with_families(table: pd.DataFrame, others: str = EXPLORATORY) -> pd.DataFrame:
    """Fill in the family of each row, and p corrected within it.

    Args:
        table: with `same_as`, where a row may repeat another point and then is in no family.
        others: the family of what is not confirmatory; at other points and on other test sets
            nothing is.
    """
    family = pd.Series(others, table.index, dtype=object)
    if others == EXPLORATORY:
        family = family.mask(table["primary"].astype(bool), CONFIRMATORY)
    family = family.mask(table["control"].astype(bool), CONTROL)
    unheard = table["metric"].map(lambda name: METRICS[name].rated) & (
        table["status"] == "no_pairs"
    )
    family = family.mask(unheard, "")  # arms that no listening test has
    if "same_as" in table:
        family = family.mask(table["same_as"] != "", "")
    return corrected(table.assign(family=family), (CONFIRMATORY, others))


def corrected(table: pd.DataFrame, families: Iterable[str]) -> pd.DataFrame:
    """Fill in p corrected (Holm) within each of these families, and their size."""
    table = table.assign(p_holm=np.nan, family_size=0)
    for name in families:
        here = table["family"] == name
        table.loc[here, "p_holm"] = holm(table.loc[here, "p"])
        table.loc[here, "family_size"] = int(here.sum())
    return table


def noise_table(scores: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return a row per metric and pool of arms that are trained alike: what chance does to them.

    results/README.md has its columns.
    """
    rows = [
        {
            "metric": found.metric,
            "arms": " ".join(found.arms),
            "n_runs": found.n_runs,
            "df": found.run.df,
            "noise": (2 * found.run.variance) ** 0.5,
        }
        for found in training_noise(speaker_means(scores), study)
    ]
    table = pd.DataFrame(rows, columns=["metric", "arms", "n_runs", "df", "noise", "detectable"])
    return table.assign(detectable=DETECTABLE * table["noise"].astype(float))


def noise_of(
    weights: Mapping[str, float], metric: str, runs: Runs, study: Study
) -> RunVariance | None:
    """Return the variance over trainings of a weighted sum of variants, or None if not known.

    A pretrained variant was trained once and adds none: the result holds for that model. With
    several seeds the weights of arms that are trained alike have to sum to 0, or the mean of a
    seed, which is no part of the pooled variance, would count too.
    """
    factors: dict[RunVariance, float] = {}
    sums: dict[RunVariance, float] = {}
    trainings = _trainings(metric, study)
    for name, weight in weights.items():
        if name in study.seedless:
            continue
        if (name, metric) not in runs:
            return None
        run = runs[name, metric]
        factors[run] = factors.get(run, 0.0) + weight**2 / trainings
        sums[run] = sums.get(run, 0.0) + weight
    if trainings > 1 and any(sums.values()):
        return None
    parts = [run.times(factor) for run, factor in factors.items()]
    if len(parts) < 2:
        return parts[0] if parts else None
    error, df = joint_error(*((part.variance, part.df) for part in parts))
    return RunVariance(float(error) ** 2, float(df))


def contrast_row(
    found: Mapping[Any, pd.DataFrame],
    weights: Mapping[str, float],
    metric: str,
    runs: Runs,
    study: Study,
    most_excluded: float = 1.0,
) -> dict[str, Any]:
    """Return the columns of a contrast of variants, noise included.

    The variance over trainings is part of its interval and test, where it is known. Nothing is
    tested where more than the share `most_excluded` of the rows is excluded.
    """
    noise = noise_of(weights, metric, runs, study)
    trainings = _trainings(metric, study)
    pooled = noise if noise and noise.is_known(trainings) else None
    one = contrasted(dict(found), weights, metric, study.seedless, study.statistics, pooled)
    trained = any(name not in study.seedless for name in weights)
    status = one.status
    if status == "ok" and trained and one.n_seeds < trainings:
        status = "missing_seed"
    elif status == "ok" and one.excluded > most_excluded:
        status = "too_many_failed"
    if status != one.status:
        unknown: Any = dict.fromkeys(("low", "high", "statistic", "p"), np.nan)
        one = replace(one, status=status, **unknown)
    noisy = {"noise": noise.variance**0.5, "noise_df": noise.df} if noise else {}
    return vars(one) | {"difference": one.mean} | noisy


def _trainings(metric: str, study: Study) -> int:
    """Return how many trainings of a variant have scores: listeners hear the first one alone."""
    return 1 if METRICS[metric].rated else len(study.seeds)


def compare_against(scores: pd.DataFrame, baseline: str, statistics: Statistics) -> pd.DataFrame:
    """Return comparisons of every other variant of the scores with one, on every metric.

    Without a study there is one family, and no noise of training.
    `taae.analysis.run_files.untrained` tells which of them have no seed.
    """
    names = sorted(scores["variant"].unique())
    if baseline not in names:
        raise TaaeError(f"scores: no variant '{baseline}' to compare with; there are {names}")
    names.remove(baseline)
    if not names:
        raise TaaeError(f"scores: only '{baseline}' is there; nothing to compare it with")
    found, seedless = groups(scores), untrained(scores)
    rows = []
    for name, metric in product(names, [name for name in METRICS if name in set(scores["metric"])]):
        one = contrasted(found, {name: 1, baseline: -1}, metric, seedless, statistics)
        label = {"reference": baseline, "variant": name, "metric": metric}
        rows.append(label | vars(one) | {"difference": one.mean})
    absent = ["ablation", "control", "primary", "family", "noise", "noise_df"]
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name not in absent])
    table = with_settings(table.assign(p_holm=holm(table["p"]), family_size=len(table)), statistics)
    for status, why in UNTESTED.items():
        names = sorted(table.loc[table["status"] == status, "variant"].unique())
        if names:
            log(f"not tested against {baseline}: {', '.join(names)}: {why}")
    return table


def compared(
    scores: pd.DataFrame,
    study: Study,
    ablations: Mapping[str, Ablation],
    metrics: Iterable[str],
    most_excluded: float = 1.0,
) -> pd.DataFrame:
    """Return the rows of `comparisons` of some ablations and metrics, without families.

    `most_excluded` as in `contrast_row`.
    """
    found, means = groups(scores), speaker_means(scores)
    known = by_arm(training_noise(means, study))
    controls = {name for ablation in ablations.values() for name in ablation.controls}
    others = {name: by_arm(training_noise(means, study, [name])) for name in controls}
    metrics = list(metrics)
    rows = []
    for name, ablation in ablations.items():
        for variant, metric in product(ablation.variants, metrics):
            label = {
                "ablation": name,
                "reference": ablation.reference,
                "variant": variant,
                "control": variant in ablation.controls,
                "primary": metric == ablation.primary,
                "metric": metric,
            }
            weights = {variant: 1.0, ablation.reference: -1.0}
            runs = known
            if label["control"]:  # judged by the others, or it would vouch for itself
                runs = dict(others[variant])
                if (ablation.reference, metric) in runs:
                    runs[variant, metric] = runs[ablation.reference, metric]
            rows.append(label | contrast_row(found, weights, metric, runs, study, most_excluded))
    return with_settings(pd.DataFrame(rows, columns=COLUMNS), study.statistics)


def same_point(point: str, arms: Iterable[str], earlier: Mapping[tuple[str, str], str]) -> str:
    """Return the earlier point at which all of some arms have the scores of this one, or ""."""
    found = {earlier.get((point, arm), "") for arm in arms}
    return found.pop() if len(found) == 1 else ""


def same_scores(points: Mapping[str, pd.DataFrame]) -> dict[tuple[str, str], str]:
    """Return by (point, variant) the first earlier point with the very same scores, where any."""
    key = ["metric", "seed", "utterance"]
    seen: dict[str, dict[str, pd.Series]] = {}
    same: dict[tuple[str, str], str] = {}
    for point, scores in points.items():
        for variant, rows in scores.groupby("variant", sort=False):
            values = rows.set_index(key)["value"].sort_index()
            for earlier, known in seen.setdefault(str(variant), {}).items():
                shared = values.index.intersection(known.index)
                if len(shared) and values[shared].equals(known[shared]):
                    same[point, str(variant)] = earlier
                    break
            seen[str(variant)][point] = values
    return same
