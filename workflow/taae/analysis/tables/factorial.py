"""Main effects and interaction of two changes, from the four arms that cross them.

Where an ablation has its reference, two arms that change one key each, and an arm that changes
both, each change is seen twice: alone, and beside the other. A main effect is the mean of the two,
so it varies less by chance than any single arm; the interaction is their difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product

import pandas as pd

from taae.analysis.statistics import holm
from taae.analysis.tables.comparisons import contrast_row, same_point, same_scores
from taae.analysis.tables.rows import groups, with_settings
from taae.analysis.training_noise import by_arm, speaker_means, training_noise
from taae.codec.operating_points import NATIVE
from taae.evaluation.metrics import METRICS
from taae.study.checks import changed_keys, value_at
from taae.study.config import Ablation
from taae.study.study import Study

COLUMNS = [
    *["ablation", "point", "effect", "key", "metric", "direction"],
    *[
        "n_utterances",
        "n_speakers",
        "n_seeds",
        "n_listeners",
        "difference",
        "low",
        "high",
        "method",
    ],
    *["confidence", "statistic", "df", "p", "p_holm", "family_size", "noise", "noise_df"],
    *["status", "scope"],
]
INTERACTION = "interaction"


def factorial(points: Mapping[str, pd.DataFrame], study: Study) -> pd.DataFrame:
    """Return a row per crossed pair of changes, effect, operating point and metric.

    `effect` names the arm that makes the change alone, or is `interaction`; `key` is what it
    changes. All rows are one family. A point that repeats an earlier one for all four arms is left
    out, and so is a metric of listeners who have not heard all four.

    Args:
        points: scores of the arms, by operating point, the native one first.
        study: with the ablations, and the metrics of each point.
    """
    rows = []
    earlier = same_scores(points)
    for point, scores in points.items():
        found, runs = groups(scores), by_arm(training_noise(speaker_means(scores), study))
        there = set(scores["variant"])
        for name, ablation in study.ablations.items():
            for (one, other), both in crossed(ablation, study).items():
                four = ablation.reference, one, other, both
                if not set(four) <= there or same_point(point, four, earlier):
                    continue
                for (effect, weights), metric in product(
                    _effects(*four).items(), _metrics(point, study)
                ):
                    label = {"ablation": name, "point": point, "effect": effect, "metric": metric}
                    arms = [one, other] if effect == INTERACTION else [effect]
                    label["key"] = " x ".join(_key(arm, ablation, study) for arm in arms)
                    row = contrast_row(found, weights, metric, runs, study)
                    if not (METRICS[metric].rated and row["status"] == "no_pairs"):
                        rows.append(label | row)
    table = with_settings(pd.DataFrame(rows, columns=COLUMNS), study.statistics)[COLUMNS]
    return table.assign(p_holm=holm(table["p"]), family_size=len(table))


def _metrics(point: str, study: Study) -> list[str]:
    return study.metrics.names if point == NATIVE else study.metrics_at(point)


def crossed(ablation: Ablation, study: Study) -> dict[tuple[str, str], str]:
    """Return the pairs of arms that change one key each, with the arm that makes both changes."""
    reference = study.variants[ablation.reference]
    changes = {
        arm: {
            key: value_at(study.variants[arm], key)
            for key in changed_keys(reference, study.variants[arm])
        }
        for arm in ablation.variants
        if arm not in ablation.controls
    }
    single = [arm for arm, change in changes.items() if len(change) == 1]
    return {
        (one, other): both
        for one, other in combinations(single, 2)
        if set(changes[one]) != set(changes[other])
        for both, change in changes.items()
        if change == changes[one] | changes[other]
    }


def _effects(reference: str, one: str, other: str, both: str) -> dict[str, dict[str, float]]:
    return {
        one: {one: 0.5, reference: -0.5, both: 0.5, other: -0.5},
        other: {other: 0.5, reference: -0.5, both: 0.5, one: -0.5},
        INTERACTION: {both: 1.0, one: -1.0, other: -1.0, reference: 1.0},
    }


def _key(arm: str, ablation: Ablation, study: Study) -> str:
    (key,) = changed_keys(study.variants[ablation.reference], study.variants[arm])
    return key
