"""Verdicts: worse, better, equivalent or undetermined, from differences and margins.

A difference of two trained codecs has two uncertain parts: the speakers that were drawn, and what
training does by chance. Where the second is known (`taae.analysis.training_noise`), both are in the
interval and in every p value here, so that the verdict is about the change that was made; where it
is not, the verdict holds for these checkpoints alone, and says so.

Few runs may agree by chance and would then make a noise that is all but nil, so fewer than three
degrees of freedom count as nothing known. From three on, those of the sum are Satterthwaite's. The
speakers' part is counted twice, in the noise and by itself, which makes the tests careful: of
simulated studies of 12 speakers and seven arms without any effect, 0.1 to 3.3 % have a verdict of
worse or better where 5 % are allowed (docs/metrics.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from taae.analysis.statistics import RunVariance, joint_error

Array = npt.NDArray[Any]
Number = float | Array

WORSE, BETTER, EQUIVALENT, UNDETERMINED = "worse", "better", "equivalent", "undetermined"
POWER = 0.8
MOST = 1000  # speakers or seeds that a plan may ask for
NOISES = 2.0  # times the noise of training that a difference has to exceed


@dataclass(frozen=True)
class Evidence:
    """A difference and its uncertain parts: standard errors, each with its degrees of freedom.

    `error` is of the speakers, and of the seeds' own variance where nothing is pooled; `noise` is
    of training, NaN where it is not known.
    """

    difference: float
    error: float
    df: float
    noise: float = math.nan
    noise_df: float = math.nan
    n_speakers: int = 0
    n_seeds: int = 1

    @property
    def noise_known(self) -> bool:
        """Whether enough runs tell the noise of training; three seeds of two arms do."""
        return RunVariance(self.noise**2, self.noise_df).is_known(self.n_seeds)

    def total(self, speakers: Number = 1.0, seeds: Number = 1.0) -> tuple[Array, Array]:
        """Return standard error and degrees of freedom with so many times the speakers and seeds.

        The degrees of freedom of the noise stay: they are what is known of it today.
        """
        df = (self.df + 1) * np.asarray(speakers) - 1
        sampling = self.error**2 / np.asarray(speakers), df
        if not self.noise_known:
            return np.sqrt(sampling[0]), df
        return joint_error(sampling, (self.noise**2 / np.asarray(seeds), self.noise_df))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the interval of the difference."""
        error, df = self.total()
        half = float(stats.t.ppf(0.5 + confidence / 2, df) * error)
        return self.difference - half, self.difference + half

    def p(self) -> float:
        """Return the two-sided p value of no difference."""
        error, df = self.total()
        if error == 0:
            return math.nan
        return float(2 * stats.t.sf(abs(self.difference) / error, df))

    def equivalence_p(self, margin: float) -> float:
        """Return the p value of a difference as large as the margin: the larger of two tests."""
        error, df = self.total()
        if math.isnan(margin) or error == 0:
            return math.nan
        return float(stats.t.sf((margin - abs(self.difference)) / error, df))

    def detectable(self, confidence: float, speakers: Number = 1.0, seeds: Number = 1.0) -> Array:
        """Return the smallest true difference that would be shown with a power of 80 %."""
        error, df = self.total(speakers, seeds)
        found: Array = (stats.t.ppf(0.5 + confidence / 2, df) + stats.t.ppf(POWER, df)) * error
        return found

    def speakers_for(self, margin: float, confidence: float) -> float:
        """Return how many speakers would show a difference of the margin; NaN: none would."""
        numbers = np.arange(2, MOST + 1)
        shown = self.detectable(confidence, speakers=numbers / self.n_speakers)
        return _first(numbers, shown <= margin)

    def seeds_for(self, margin: float, confidence: float) -> float:
        """Return how many seeds would show a difference of the margin; NaN: none, or not known."""
        if not self.noise_known:
            return math.nan
        numbers = np.arange(1, MOST + 1)
        shown = self.detectable(confidence, seeds=numbers / self.n_seeds)
        return _first(numbers, shown <= margin)


def verdict(
    difference: float, better: int, p_adjusted: float, equivalence_p: float, confidence: float
) -> str:
    """Return the verdict on a difference; `better` is +1 where higher is better, else -1.

    A difference that is shown to be within the margin is equivalent, also where it is not nil.
    """
    level = 1 - confidence
    if equivalence_p < level:
        return EQUIVALENT
    if p_adjusted < level:
        return BETTER if difference * better > 0 else WORSE
    return UNDETERMINED


def _first(numbers: Array, enough: npt.NDArray[np.bool_]) -> float:
    """Return the first number that is enough; NaN where none is."""
    return float(numbers[enough.argmax()]) if enough.any() else math.nan
