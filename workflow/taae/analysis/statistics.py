"""Intervals and tests whose unit is the speaker, not the utterance.

Utterances of one speaker are alike, so they are averaged first (pooled where a metric is a rate):
the cells of a layout (seeds, speakers) are the data. With three or more seeds both are random, and
the variance of the grand mean is the variance of the seed means over their number plus the variance
of the speaker means over theirs, with the degrees of freedom of Welch and Satterthwaite (Searle,
Casella & McCulloch, Variance Components, 1992); with fewer seeds the result holds for these
checkpoints only.

Three seeds tell little of the variance over seeds. A `RunVariance` that many arms have in common
(`taae.analysis.training_noise`) replaces it, with its own, larger degrees of freedom, and lets even
one seed speak of trainings in general.

Ratings of a listening test have a listener too. Listeners take the place of the seeds, since what
is rated is one training of each arm.

This t interval was chosen by simulation with 12 speakers. On normal scores with speaker or seed
effects it covers 94 to 96% at the 95% level (99% without either). The percentile bootstrap covers
91% with one seed and, drawing seeds and then speakers, 73 to 78% with three. On strongly skewed
scores (log-normal, sigma 0.8) the t interval covers 86 to 92% and the studentised bootstrap, which
stands beside it in the tables, 87 to 94%; but where three seeds matter more than the speakers,
that one is twice as wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from taae.analysis.pooling import WEIGHT, is_weighted, pooled
from taae.analysis.run_files import LISTENER
from taae.study.config import Statistics

Array = npt.NDArray[np.float64]

RANDOM_SEEDS = 3  # with fewer, the variance over seeds is not worth estimating
LEAST_DF = 3.0  # of a variance over runs that counts as known, with fewer than three seeds
WILCOXON_LEAST = 6  # with fewer pairs no two-sided p below 0.05 exists
PAIR = ["seed", "speaker", "utterance"]
VALUES = [*PAIR, "value"]


@dataclass(frozen=True)
class Interval:
    """A mean over speakers with its interval; what cannot be had is NaN.

    `bootstrap_low` and `bootstrap_high` are NaN below about 5 speakers, where resamples of a
    single speaker keep a bootstrap from being studentised. `n_listeners` is 0 but for ratings.
    """

    n_speakers: int
    n_seeds: int
    mean: float
    scope: str
    low: float = np.nan
    high: float = np.nan
    method: str = ""
    bootstrap_low: float = np.nan
    bootstrap_high: float = np.nan
    n_listeners: int = 0


@dataclass(frozen=True)
class RunVariance:
    """How much the score of one training varies by chance: its variance, and what that is worth.

    `df` are the degrees of freedom of the estimate, as if of a chi-squared distribution.
    """

    variance: float
    df: float

    def times(self, factor: float) -> RunVariance:
        """Return the variance of a sum over runs, whose squared weights sum to `factor`."""
        return RunVariance(self.variance * factor, self.df)

    def is_known(self, trainings: int) -> bool:
        """Whether it says something of a result from so many trainings of each variant."""
        return self.variance > 0 and (self.df >= LEAST_DF or trainings >= RANDOM_SEEDS)


@dataclass(frozen=True, kw_only=True)
class Comparison(Interval):
    """A contrast of variants, such as one minus its reference, over their common utterances.

    results/README.md says what each is; `rank_biserial` is the matched-pairs correlation of Kerby
    (2014), which a few large differences can contradict.
    """

    n_utterances: int
    n_excluded: int
    n_pairs: int
    status: str
    statistic: float = np.nan
    df: float = np.nan
    p: float = np.nan
    wilcoxon_p: float = np.nan
    d_z: float = np.nan
    rank_biserial: float = np.nan

    @property
    def excluded(self) -> float:
        """The share of the rows of either variant that are in no pair."""
        return self.n_excluded / max(self.n_excluded + self.n_pairs, 1)


def complete(values: pd.DataFrame) -> pd.DataFrame:
    """Leave out speakers without a value at every seed, where the seeds are a random factor.

    Of ratings: at every listener.
    """
    factor = factor_of(values)
    levels = values[factor].nunique()
    if levels < RANDOM_SEEDS:
        return values
    return values[values.groupby("speaker")[factor].transform("nunique") == levels]


def factor_of(values: pd.DataFrame) -> str:
    """Return what is random beside the speakers: the seed, or the listener of ratings."""
    rated = LISTENER in values and values[LISTENER].notna().any()
    return LISTENER if rated else "seed"


def mean_interval(
    values: pd.DataFrame, statistics: Statistics, runs: RunVariance | None = None
) -> Interval:
    """Return the mean over speakers and its interval of rows with `VALUES` (finite), in any order.

    A rate, whose rows have a `WEIGHT`, is pooled within a speaker; see `taae.analysis.pooling`.
    With three or more seeds, only speakers who have a value at every seed enter. `runs` as in
    `contrast`.
    """
    n_seeds, cells = values["seed"].nunique(), _layout(complete(values))
    factor = factor_of(values)
    n_speakers = cells.shape[1]
    mean = float(cells.mean()) if n_speakers else np.nan
    if n_speakers < 2:
        return Interval(n_speakers, n_seeds, mean, "this speaker only" if n_speakers else "")
    error, df = _standard_error(cells, runs)
    half = float(stats.t.ppf(0.5 + statistics.confidence / 2, df) * error)
    scope, method = "fixed checkpoint", "t over speakers"
    if len(cells) > 1:
        scope, method = f"over {n_seeds} seeds", f"t over {factor}s and speakers"
    n_listeners = values[LISTENER].nunique() if factor == LISTENER else 0
    if n_listeners:
        scope = f"{'over' if len(cells) > 1 else 'these'} {n_listeners} listeners"
    if runs:
        method += ", pooled run variance"
        scope = "over trainings" if len(cells) == 1 else scope
    bootstrap = _studentised_bootstrap(cells, statistics)
    return Interval(
        n_speakers,
        n_seeds,
        mean,
        scope,
        mean - half,
        mean + half,
        method,
        *bootstrap,
        n_listeners=n_listeners,
    )


def compare(
    variant: pd.DataFrame,
    reference: pd.DataFrame,
    statistics: Statistics,
    runs: RunVariance | None = None,
) -> Comparison:
    """Compare two tables with `VALUES` over their common pairs: `contrast` with weights 1, -1."""
    return contrast([variant, reference], [1.0, -1.0], statistics, runs)


def contrast(
    tables: Sequence[pd.DataFrame],
    weights: Sequence[float],
    statistics: Statistics,
    runs: RunVariance | None = None,
) -> Comparison:
    """Test whether the weighted sum of variants is nil, over what all of them have scores of.

    The test is Student's on the speakers' mean contrasts with one or two seeds, and its
    Welch-Satterthwaite form over seeds and speakers with more. `wilcoxon_p` is of the signed-rank
    test on speakers' mean contrasts, from 6 speakers on; it always takes the checkpoints as fixed.

    Args:
        tables: rows with `VALUES` of each variant.
        weights: of the variants; they sum to 0.
        statistics: the confidence, and the resamples of the bootstrap.
        runs: the variance of this contrast over trainings, where it is known better than from the
            seeds at hand. It takes the place of the variance over seeds.
    """
    rated = any(factor_of(table) == LISTENER for table in tables)
    pair = [*PAIR, LISTENER] if rated else PAIR
    wide = pd.concat([table.set_index(pair)["value"] for table in tables], axis=1, join="outer")
    wide.columns = pd.RangeIndex(len(tables))
    pairs = wide.dropna()
    values = pairs.mul(list(weights)).sum(axis=1).rename("value").reset_index()
    if is_weighted(tables[0]):  # what the rates are shares of is the same in all of them
        values = values.merge(tables[0][[*pair, WEIGHT]], on=pair)
    usable = complete(values)
    found = Comparison(
        **vars(mean_interval(values, statistics, runs)),
        n_utterances=usable["utterance"].nunique(),
        n_excluded=len(wide) - len(usable),
        n_pairs=len(usable),
        status="ok",
    )
    if found.n_speakers < 2:
        return replace(found, status="no_pairs" if pairs.empty else "too_few")
    cells = _layout(usable)
    # Equal differences differ in their last bits once subtracted, which is no spread to test by.
    rounding = 1e-12 * float(pairs.abs().to_numpy().max())
    if np.ptp(cells) <= rounding:
        limits: Any = dict.fromkeys(("low", "high", "bootstrap_low", "bootstrap_high"), np.nan)
        return replace(found, status="constant", method="", **limits)
    error, df = _standard_error(cells, runs)
    statistic = float(found.mean / error)
    means = cells.mean(axis=0)
    spread = float(means.std(ddof=1))
    changed = means[means != 0]
    ranks = stats.rankdata(np.abs(changed))
    return replace(
        found,
        statistic=statistic,
        df=float(df),
        p=float(2 * stats.t.sf(abs(statistic), df)),
        wilcoxon_p=float(stats.wilcoxon(means).pvalue) if len(means) >= WILCOXON_LEAST else np.nan,
        d_z=float(means.mean()) / spread if spread > rounding else np.nan,
        rank_biserial=float(np.sign(changed) @ ranks / ranks.sum()) if len(ranks) else np.nan,
    )


def holm(p: npt.ArrayLike) -> Array:
    """Return the p values adjusted by Holm (1979); the family is all of `p`.

    NaN is a member of the family that could not be tested: it counts, and stays NaN.
    """
    raw = np.asarray(p, dtype=np.float64)
    order = np.argsort(raw)  # NaN last
    adjusted = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    found: Array = np.minimum(adjusted, 1.0)[np.argsort(order)]
    return found


def _layout(values: pd.DataFrame) -> Array:
    """Return cell means (seeds, speakers); one row where the seeds are not a random factor."""
    ordered = values.sort_values(PAIR)  # sums in floating point depend on their order
    by = [factor_of(values), "speaker"]
    cells = pooled(ordered, by).unstack()  # noqa: PD010 (as slow)
    if len(cells) < RANDOM_SEEDS:
        return cells.mean().to_numpy(dtype=np.float64)[None]
    return cells.to_numpy(dtype=np.float64)


def _standard_error(cells: Array, runs: RunVariance | None = None) -> tuple[Array, Array]:
    """Return the standard error of the mean of (..., seeds, speakers) and its df.

    The variance over seeds is `runs`, where given.
    """
    seeds, speakers = cells.shape[-2:]
    by_speaker = cells.mean(axis=-2).var(axis=-1, ddof=1) / speakers
    if runs:
        return joint_error((by_speaker, speakers - 1), (runs.variance, runs.df))
    if seeds == 1:
        return np.sqrt(by_speaker), np.full_like(by_speaker, speakers - 1)
    by_seed = cells.mean(axis=-1).var(axis=-1, ddof=1) / seeds
    return joint_error((by_speaker, speakers - 1), (by_seed, seeds - 1))


def joint_error(*parts: tuple[Any, Any]) -> tuple[Array, Array]:
    """Return the root of a sum of variances, each with its df, and the df of Satterthwaite."""
    variance = sum(np.asarray(part, dtype=np.float64) for part, _ in parts)
    with np.errstate(invalid="ignore"):  # 0 / 0 of a constant layout
        df = variance**2 / sum(np.asarray(part) ** 2 / df for part, df in parts)
    return np.sqrt(variance), df


def _studentised_bootstrap(cells: Array, statistics: Statistics) -> tuple[float, float]:
    """Return the bootstrap-t interval, seeds and then speakers drawn with replacement.

    A draw of speakers is shared by the seeds of its resample, as the speakers are (Owen, The
    pigeonhole bootstrap, 2007).
    """
    seeds, speakers = cells.shape
    random = np.random.default_rng(statistics.seed)
    rows = random.integers(seeds, size=(statistics.resamples, seeds, 1))
    columns = random.integers(speakers, size=(statistics.resamples, 1, speakers))
    resamples = cells[rows, columns]
    mean, (error, _) = cells.mean(), _standard_error(cells)
    errors, _ = _standard_error(resamples)
    errors[errors <= 1e-9 * error] = 0.0  # one speaker drawn throughout
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = (resamples.mean(axis=(1, 2)) - mean) / errors
        tail = (1 - statistics.confidence) / 2
        upper, lower = np.quantile(roots, [1 - tail, tail])
    if not np.isfinite([lower, upper]).all():
        return np.nan, np.nan
    return float(mean - upper * error), float(mean - lower * error)
