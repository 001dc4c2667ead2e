"""Bjontegaard deltas: what an arm spends at equal quality, and what it gains at equal bits.

The curve of a codec goes through its operating points (Bjontegaard, VCEG-M33, 2001):

    BD-rate     exp(mean of ln R_arm(q) - ln R_reference(q)) - 1    over the quality q of both
    BD-quality  mean of q_arm(ln R) - q_reference(ln R)             over the bits of both

Between the points a curve is a piecewise cubic Hermite interpolant (PCHIP), as in the common test
conditions of JCT-VC and JVET: it rises where the points do, which the polynomial of 2001 may not.

A speaker is left out at a time, of both arms at once, and the deltas are computed again: the spread
is their standard error (jackknife), and Student's t over speakers makes an interval of it, which
holds the noise of training where it is known. A bootstrap of a dozen speakers promises 95 % and
covers less, and takes a hundred times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.interpolate import PchipInterpolator

from taae.analysis.statistics import RunVariance, joint_error

FEWEST_POINTS = 3
Array = npt.NDArray[np.float64]


class Gap(NamedTuple):
    """The mean distance of two curves over the abscissae that both have; NaN without any."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Points:
    """The operating points of an arm, by speaker, all in the same order of speakers.

    Attributes:
        quality: (points, speakers), more is better.
        bits: (points, speakers), spent on all utterances of a speaker.
        seconds: (speakers,), length of these utterances.
    """

    quality: Array
    bits: Array
    seconds: Array

    def rates(self, left_out: int | None = None) -> Array:
        """Return bits per second at each point, of all speakers but one."""
        bits, seconds = self.bits.sum(axis=1), self.seconds.sum()
        if left_out is None:
            return np.asarray(bits / seconds)
        return np.asarray((bits - self.bits[:, left_out]) / (seconds - self.seconds[left_out]))

    def qualities(self, left_out: int | None = None) -> Array:
        """Return the mean over speakers at each point, of all speakers but one."""
        if left_out is None:
            return np.asarray(self.quality.mean(axis=1))
        return np.asarray(np.delete(self.quality, left_out, axis=1).mean(axis=1))

    def at(self, chosen: list[int]) -> Points:
        """Return the points of these numbers alone."""
        return Points(self.quality[chosen], self.bits[chosen], self.seconds)


@dataclass(frozen=True)
class Estimate:
    """A mean gap over speakers and its standard error, which is NaN where it cannot be had."""

    value: float
    error: float
    speakers: int

    def interval(self, confidence: float, runs: RunVariance | None) -> tuple[float, float]:
        """Return the interval over speakers, and over trainings where their variance is given."""
        parts = [(self.error**2, float(self.speakers - 1))]
        parts += [(runs.variance, runs.df)] if runs else []
        error, df = joint_error(*parts)
        half = float(stats.t.ppf(0.5 + confidence / 2, df) * error)
        return self.value - half, self.value + half


@dataclass(frozen=True)
class Deltas:
    """Bjontegaard deltas of an arm from its reference; NaN where the curves share nothing.

    `log_rate` is the gap in ln(bits) at equal quality, `quality` the one in units of the metric at
    equal bits; `overlap_low` and `overlap_high` bound the quality that both arms reach.
    """

    log_rate: Estimate
    quality: Estimate
    overlap_low: float
    overlap_high: float


def undominated(rates: Array, qualities: Array) -> list[int]:
    """Return the numbers of the points on the curve, by rising rate and quality.

    A point is dominated, and not on the curve, where another one has no less quality for no more
    bits.
    """
    chosen: list[int] = []
    for number in np.lexsort((-qualities, rates)):
        if not chosen or qualities[number] > qualities[chosen[-1]]:
            chosen.append(int(number))
    return chosen


def gap(reference: tuple[Array, Array], arm: tuple[Array, Array]) -> Gap:
    """Return the mean of arm minus reference; each curve is (abscissae, ordinates), both rising."""
    (x, _), (other, _) = reference, arm
    low, high = float(max(x[0], other[0])), float(min(x[-1], other[-1]))
    if not low < high:
        return Gap(np.nan, np.nan, np.nan)
    areas = [float(PchipInterpolator(*curve).integrate(low, high)) for curve in (reference, arm)]
    return Gap((areas[1] - areas[0]) / (high - low), low, high)


def deltas(reference: Points, arm: Points) -> Deltas:
    """Return the deltas of two arms whose points are on their curves, by rising rate.

    An error is NaN for a single speaker, and where a point leaves its curve without one of them.
    """
    rate, quality = _gaps(reference, arm)
    speakers = len(reference.seconds)
    without = [_gaps(reference, arm, one) for one in range(speakers if speakers > 1 else 0)]
    rate_error = _jackknife([one.mean for one, _ in without])
    quality_error = _jackknife([one.mean for _, one in without])
    return Deltas(
        Estimate(rate.mean, rate_error, speakers),
        Estimate(quality.mean, quality_error, speakers),
        rate.low,
        rate.high,
    )


def between_trainings(controls: Sequence[float]) -> RunVariance | None:
    """Return the variance of a gap between trainings where nothing is changed.

    Args:
        controls: the gaps of controls from the reference, whose own gap is nil; NaN is no gap.
    """
    found = [each for each in controls if np.isfinite(each)]
    runs = np.array([0.0, *found])
    return RunVariance(2 * float(runs.var(ddof=1)), len(found)) if found else None


def _gaps(reference: Points, arm: Points, left_out: int | None = None) -> tuple[Gap, Gap]:
    """Return the gap in ln(rate) at equal quality, and in quality at equal ln(rate)."""
    curves = [(np.log(one.rates(left_out)), one.qualities(left_out)) for one in (reference, arm)]
    if any((np.diff(part) <= 0).any() for curve in curves for part in curve):
        return Gap(np.nan, np.nan, np.nan), Gap(np.nan, np.nan, np.nan)
    (rates, qualities), (other_rates, other_qualities) = curves
    return (
        gap((qualities, rates), (other_qualities, other_rates)),
        gap((rates, qualities), (other_rates, other_qualities)),
    )


def _jackknife(without: Sequence[float]) -> float:
    """Return the standard error from the estimates without one speaker each."""
    return float(np.sqrt((len(without) - 1) * np.var(without))) if len(without) > 1 else np.nan
