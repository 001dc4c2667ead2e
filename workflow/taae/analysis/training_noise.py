"""The noise of training: by how much two trainings of the same thing differ, from a study's runs.

A run's score is the mean over speakers of one metric. Its variance over trainings is estimated

- with several seeds, from the interaction of arms and seeds: what is left of the runs' scores
  once the mean of each arm and the mean of each seed are taken out (a seed's data order is shared
  by the arms, so its mean is no noise of a difference);
- with one seed, from the arms that are the same thing by construction: a reference and its
  controls, but for one that had to move away from the trunk.

Either pools over all arms that are trained alike, which has many degrees of freedom where each arm
has two (with three seeds). On simulated studies of 12 arms without any effect, where trainings
differ as much as speakers do, three seeds' own variances let Holm's correction fail in 28 % of
studies; the pooled one in 1 to 5 %.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from taae.analysis.pooling import pooled
from taae.analysis.run_files import usable
from taae.analysis.statistics import RunVariance
from taae.study.config import Ablation
from taae.study.study import Study
from taae.study.trunk import moving
from taae.utils.fingerprint import canonical


@dataclass(frozen=True)
class TrainingNoise:
    """The noise of one metric in one pool of arms that are trained alike."""

    metric: str
    arms: tuple[str, ...]
    n_runs: int
    run: RunVariance


def pools(study: Study) -> list[list[str]]:
    """Return the trained variants by what they share: the model, and all of the training."""
    found: dict[str, list[str]] = {}
    for name in study.trained:
        variant = study.variants[name]
        training = asdict(variant.training) | {"replicate": 0}
        found.setdefault(canonical([asdict(variant.model), training]), []).append(name)
    return list(found.values())


def same_as_reference(ablation: Ablation, study: Study) -> list[str]:
    """Return the controls of an ablation that differ from its reference by chance alone.

    A control that has to move away from the trunk, where the reference has not, or the other way
    round, differs by more.
    """
    moved = moving(study.trunk, study.variants) if study.trunk else []
    reference = ablation.reference in moved
    return [arm for arm in ablation.controls if (arm in moved) == reference]


def same_by_construction(study: Study) -> list[set[str]]:
    """Return the groups of variants that differ by chance alone: references and such controls."""
    groups: list[set[str]] = []
    for ablation in study.ablations.values():
        controls = same_as_reference(ablation, study)
        if controls:
            group = {ablation.reference, *controls}
            met = [other for other in groups if other & group]
            groups = [other for other in groups if other not in met]
            groups.append(group.union(*met))
    return groups


def speaker_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the mean `value` of each metric, variant, seed and speaker, of the usable scores.

    `scores` has rows as `taae.analysis.run_files.collect` gives them.
    """
    rows, by = scores[usable(scores)], ["variant", "seed", "speaker"]
    found = [
        pooled(values.sort_values([*by, "utterance"]), by)
        .rename("value")
        .reset_index()
        .assign(metric=metric)
        for metric, values in rows.groupby("metric", sort=False)
    ]
    return pd.concat(found, ignore_index=True) if found else rows


def training_noise(
    means: pd.DataFrame, study: Study, without: Iterable[str] = ()
) -> list[TrainingNoise]:
    """Return the noise of every metric in every pool of arms in which it can be estimated.

    Args:
        means: as `speaker_means` gives them.
        study: tells which arms are trained alike, and which are the same.
        without: variants that are left out, so that these can be judged by the others.
    """
    rows = means[~means["variant"].isin(list(without))]
    found = []
    for pool in pools(study):
        mine = rows[rows["variant"].isin(pool)]
        for metric, values in mine.groupby("metric", sort=False):
            runs = _run_means(values)
            if len(study.seeds) > 1:
                spread = _between_seeds(runs)
            else:
                spread = _between_controls(runs, same_by_construction(study))
            if spread:
                arms = tuple(arm for arm in pool if arm in spread.arms)
                found.append(TrainingNoise(str(metric), arms, spread.n_runs, spread.run))
    return found


def by_arm(noises: Iterable[TrainingNoise]) -> dict[tuple[str, str], RunVariance]:
    """Return the run variance by (variant, metric)."""
    return {(arm, noise.metric): noise.run for noise in noises for arm in noise.arms}


@dataclass(frozen=True)
class _Spread:
    arms: set[str]
    n_runs: int
    run: RunVariance


def _run_means(values: pd.DataFrame) -> pd.DataFrame:
    """Return the runs' scores (variants, seeds), over the speakers that all runs have."""
    cells = values.pivot_table("value", ["variant", "seed"], "speaker")
    runs = cells.dropna(axis="columns").mean(axis="columns").rename("value").reset_index()
    return runs.pivot_table("value", "variant", "seed")


def _between_seeds(runs: pd.DataFrame) -> _Spread | None:
    """Return the variance of arms that have every seed."""
    runs = runs.dropna()
    if min(runs.shape) < 2:
        return None
    return _Spread(set(runs.index), runs.size, interaction_variance(runs.to_numpy()))


def interaction_variance(cells: npt.NDArray[np.float64]) -> RunVariance:
    """Return the mean square of the interaction in a table (arms, seeds), at least 2 x 2."""
    arms, seeds = cells.shape
    df = (arms - 1) * (seeds - 1)
    left = cells - cells.mean(axis=0) - cells.mean(axis=1, keepdims=True) + cells.mean()
    return RunVariance(float((left**2).sum()) / df, df)


def _between_controls(runs: pd.DataFrame, groups: list[set[str]]) -> _Spread | None:
    """Return the variance within groups of arms that are the same; it holds for the whole pool."""
    squares, df, n_runs = 0.0, 0, 0
    for group in groups:
        values = runs[runs.index.isin(group)].to_numpy().ravel()
        values = values[np.isfinite(values)]
        if len(values) > 1:
            squares += float(((values - values.mean()) ** 2).sum())
            df, n_runs = df + len(values) - 1, n_runs + len(values)
    if not df:
        return None
    return _Spread(set(runs.index), n_runs, RunVariance(squares / df, df))
