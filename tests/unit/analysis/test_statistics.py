"""Intervals and tests against closed forms, scipy, and their own promises under simulation."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from taae.analysis.statistics import compare, holm, mean_interval
from taae.study.config import Statistics

FEW = Statistics(confidence=0.95, resamples=20, seed=1)
MANY = Statistics(confidence=0.95, resamples=2000, seed=1)


def table(values: np.ndarray) -> pd.DataFrame:
    """Turn (seeds, speakers, utterances) into rows."""
    seeds, speakers, utterances = (axis.ravel() for axis in np.indices(values.shape))
    names = [f"{speaker}-{number}" for speaker, number in zip(speakers, utterances, strict=True)]
    return pd.DataFrame(
        {"seed": seeds, "speaker": speakers, "utterance": names, "value": values.ravel()}
    )


def draw(random: np.random.Generator, seeds: int = 1, seed_effect: float = 0.0) -> np.ndarray:
    """Draw scores around 0 with strong speaker effects: 12 speakers x 4 utterances."""
    return (
        random.normal(0, 1, (1, 12, 1))
        + random.normal(0, seed_effect, (seeds, 1, 1))
        + random.normal(0, 0.3, (seeds, 12, 1))
        + random.normal(0, 0.5, (seeds, 12, 4))
    )


def test_interval_is_students_over_speaker_means() -> None:
    values = draw(np.random.default_rng(0))
    found = mean_interval(table(values), MANY)
    means = values[0].mean(axis=1)
    low, high = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert found.mean == pytest.approx(means.mean(), rel=1e-12)
    assert (found.n_speakers, found.n_seeds, found.scope) == (12, 1, "fixed checkpoint")


def test_speakers_weigh_the_same_however_many_utterances_they_have() -> None:
    values = table(np.zeros((1, 2, 5)) + np.array([1.0, 3.0])[None, :, None])
    assert mean_interval(values.iloc[3:], FEW).mean == 2.0


def test_three_seeds_widen_the_interval_by_the_variance_over_seeds() -> None:
    speakers, seeds = np.array([-1.0, 0.0, 2.0, 3.0]), np.array([-4.0, 1.0, 3.0])
    values = (seeds[:, None] + speakers)[:, :, None]
    found = mean_interval(table(values), MANY)
    a, b = seeds.var(ddof=1) / 3, speakers.var(ddof=1) / 4  # additive: means are the effects
    df = (a + b) ** 2 / (a**2 / 2 + b**2 / 3)
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, df) * np.sqrt(a + b))
    assert found.scope == "over 3 seeds"
    assert mean_interval(table(values[:2]), MANY).scope == "fixed checkpoint"


def test_one_speaker_has_a_mean_and_no_interval() -> None:
    found = mean_interval(table(np.array([[[1.0, 3.0]]])), MANY)
    assert (found.mean, found.scope, found.method) == (2.0, "this speaker only", "")
    assert np.isnan([found.low, found.high, found.bootstrap_low, found.bootstrap_high]).all()


def test_bootstrap_agrees_with_students_interval_on_normal_data() -> None:
    normal = stats.norm.ppf((np.arange(60) + 0.5) / 60)
    found = mean_interval(table(normal[None, :, None]), MANY)
    assert (found.bootstrap_low, found.bootstrap_high) == pytest.approx(
        (found.low, found.high), abs=0.03
    )


def test_bootstrap_reaches_further_on_the_long_tail() -> None:
    skewed = stats.lognorm.ppf((np.arange(20) + 0.5) / 20, 1.0)
    found = mean_interval(table(skewed[None, :, None]), MANY)
    assert found.bootstrap_high - found.mean > 1.3 * (found.mean - found.bootstrap_low)


def test_bootstrap_is_empty_where_it_cannot_be_studentised() -> None:
    found = mean_interval(table(np.array([[[0.1], [0.2]]])), MANY)
    assert np.isnan([found.bootstrap_low, found.bootstrap_high]).all()
    assert found.low < 0.15 < found.high


@pytest.mark.parametrize("seeds", [1, 3])
def test_order_of_rows_changes_nothing(seeds: int) -> None:
    random = np.random.default_rng(1)
    one, other = table(draw(random, seeds)), table(draw(random, seeds))
    shuffled = [rows.sample(frac=1, random_state=5) for rows in (one, other)]
    assert mean_interval(shuffled[0], MANY) == mean_interval(one, MANY)
    assert compare(*shuffled, MANY) == compare(one, other, MANY)


def test_test_is_scipys_on_speaker_mean_differences() -> None:
    random = np.random.default_rng(2)
    one, other = draw(random), draw(random)
    found = compare(table(one), table(other), MANY)
    means = [values[0].mean(axis=1) for values in (one, other)]
    expected = stats.ttest_rel(*means)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.wilcoxon_p == pytest.approx(stats.wilcoxon(*means).pvalue)
    difference = means[0] - means[1]
    assert found.d_z == pytest.approx(found.statistic / np.sqrt(12))
    ranks = stats.rankdata(np.abs(difference))
    assert found.rank_biserial == pytest.approx(ranks @ np.sign(difference) / ranks.sum())
    assert found.status == "ok"
    excludes_zero = not found.low <= 0 <= found.high
    assert excludes_zero == (found.p < 0.05)


def test_rank_biserial_is_one_when_all_speakers_agree() -> None:
    reference = draw(np.random.default_rng(3))
    gain = np.linspace(0.1, 1, 12)[None, :, None]
    assert compare(table(reference + gain), table(reference), FEW).rank_biserial == 1.0
    assert compare(table(reference - gain), table(reference), FEW).rank_biserial == -1.0


def test_effect_sizes_can_differ_in_sign() -> None:
    """Most speakers gain a little, one loses much: the mean falls, the ranks favour the variant."""
    reference = draw(np.random.default_rng(3))
    gain = np.array([0.1] * 11 + [-5.0])[None, :, None] * np.linspace(1, 2, 12)[None, :, None]
    found = compare(table(reference + gain), table(reference), FEW)
    assert found.mean < 0
    assert found.d_z < 0
    assert found.rank_biserial == pytest.approx((66 - 12) / 78)


def rejections(trials: int, seeds: int, seed_effect: float) -> float:
    random = np.random.default_rng(4)
    arms = ([table(draw(random, seeds, seed_effect)) for _ in range(2)] for _ in range(trials))
    return float(np.mean([compare(*pair, FEW).p < 0.05 for pair in arms]))


@pytest.mark.parametrize(("seeds", "seed_effect"), [(1, 0.0), (3, 0.5)])
def test_null_is_rejected_at_the_nominal_rate(seeds: int, seed_effect: float) -> None:
    assert 0.03 <= rejections(400, seeds, seed_effect) <= 0.07


def test_utterances_as_units_would_reject_a_true_null_too_often() -> None:
    random = np.random.default_rng(5)
    wrong = [
        stats.ttest_rel(draw(random).ravel(), draw(random).ravel()).pvalue < 0.05
        for _ in range(500)
    ]
    assert np.mean(wrong) > 0.15


@pytest.mark.parametrize(("seeds", "seed_effect"), [(1, 0.0), (3, 0.5)])
def test_interval_covers_the_truth_at_the_nominal_rate(seeds: int, seed_effect: float) -> None:
    random = np.random.default_rng(6)
    more = replace(FEW, resamples=200)
    found = [mean_interval(table(draw(random, seeds, seed_effect)), more) for _ in range(300)]
    assert 0.92 <= np.mean([interval.low <= 0 <= interval.high for interval in found]) <= 0.98
    bootstrap = [interval.bootstrap_low <= 0 <= interval.bootstrap_high for interval in found]
    assert 0.90 <= np.mean(bootstrap) <= 0.98


def test_a_missing_value_takes_only_its_own_pair() -> None:
    random = np.random.default_rng(7)
    one, other = table(draw(random)), table(draw(random))
    holed = one.assign(value=one["value"].mask(one["utterance"] == "3-2"))
    found = compare(holed, other, MANY)
    without = [rows[rows["utterance"] != "3-2"] for rows in (one, other)]
    expected = compare(*without, MANY)
    assert (found.n_utterances, found.n_excluded) == (47, 1)
    assert replace(found, n_excluded=0) == expected


def test_pairs_are_of_the_same_seed() -> None:
    both = table(np.arange(2.0)[:, None, None] + draw(np.random.default_rng(8)))
    found = compare(both, both[both["seed"] == 1], FEW)
    assert (found.mean, found.n_excluded, found.n_seeds) == (0.0, 48, 1)


@pytest.mark.parametrize("shift", [0.0, 0.1, -3.0])
@pytest.mark.parametrize("seeds", [1, 3])
def test_constant_differences_have_no_test(shift: float, seeds: int) -> None:
    values = draw(np.random.default_rng(9), seeds)
    found = compare(table(values + shift), table(values), MANY)
    assert found.status == "constant"
    assert found.mean == pytest.approx(shift)
    assert np.isnan([found.p, found.d_z, found.low]).all()


def test_effect_sizes_need_a_spread_over_speakers() -> None:
    """Where the seeds alone differ, speakers' means differ in their last bits, not by a spread."""
    values = draw(np.random.default_rng(13), seeds=3)
    shift = np.array([0.1, 0.2, 0.35])[:, None, None]
    found = compare(table(values + shift), table(values), MANY)
    assert found.status == "ok"
    assert found.df == pytest.approx(2)
    assert np.isnan(found.d_z)
    assert found.rank_biserial == 1


def test_speakers_who_lack_a_seed_are_excluded_and_counted() -> None:
    random = np.random.default_rng(14)
    one, other = table(draw(random, 3)), table(draw(random, 3))
    lacks = (one["speaker"] == 4) & (one["seed"] == 1)
    found = compare(one[~lacks], other, MANY)
    expected = compare(*(rows[rows["speaker"] != 4] for rows in (one, other)), MANY)
    assert replace(found, n_excluded=expected.n_excluded) == expected
    assert (found.n_utterances, found.n_excluded) == (44, 12)
    assert mean_interval(one[~lacks], MANY) == mean_interval(one[one["speaker"] != 4], MANY)
    # Of one utterance alone, its pair at one seed goes; its speaker has others there.
    single = (one["utterance"] == "4-0") & (one["seed"] == 1)
    found = compare(one[~single], other, MANY)
    assert (found.n_speakers, found.n_utterances, found.n_excluded) == (12, 48, 1)
    # Each seed with speakers of its own: nobody is left.
    apart = one[one["speaker"] % 3 == one["seed"]]
    found = compare(apart, apart, MANY)
    assert (found.status, found.n_utterances, found.n_excluded) == ("too_few", 0, 48)
    assert np.isnan(mean_interval(apart, MANY).mean)


def test_too_few_speakers_and_no_pairs_have_no_test() -> None:
    values = table(draw(np.random.default_rng(10)))
    one = values[values["speaker"] == 0]
    found = compare(one.assign(value=0.0), one, FEW)
    assert (found.status, found.scope, found.n_utterances) == (
        "too_few",
        "this speaker only",
        4,
    )
    assert compare(values.iloc[:0], values, FEW).status == "no_pairs"
    other_seed = values.assign(seed=7)
    assert compare(values, other_seed, FEW).status == "no_pairs"


def test_two_speakers_are_tested_by_one_degree_of_freedom() -> None:
    values = np.array([[[0.1], [0.5]]])
    found = compare(table(values), table(0 * values), MANY)
    assert (found.df, found.statistic) == (1, pytest.approx(0.3 / 0.2))
    assert found.p == pytest.approx(1 - 2 / np.pi * np.arctan(1.5))  # Cauchy
    assert np.isnan([found.wilcoxon_p, found.bootstrap_low]).all()
    assert found.rank_biserial == 1


def test_speakers_without_any_value_are_no_pairs() -> None:
    values = table(draw(np.random.default_rng(12)))
    found = compare(values.assign(value=np.nan), values, MANY)
    assert (found.status, found.n_speakers, found.n_excluded) == ("no_pairs", 0, 48)
    assert np.isnan([found.mean, found.p]).all()
    three = values.assign(value=values["value"].where(values["speaker"] < 3))
    assert compare(three, values.assign(value=0.0), MANY).n_speakers == 3


def test_wilcoxon_needs_six_speakers() -> None:
    random = np.random.default_rng(11)
    one, other = table(draw(random)), table(draw(random))
    few = [rows[rows["speaker"] < 5] for rows in (one, other)]
    assert np.isnan(compare(*few, FEW).wilcoxon_p)
    assert np.isfinite(compare(*few, FEW).p)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]).shape == (0,)


def test_holm_counts_what_could_not_be_tested() -> None:
    assert holm([0.01, np.nan, 0.02]) == pytest.approx([0.03, np.nan, 0.04], nan_ok=True)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    # Closure: reject i when Bonferroni rejects every set of hypotheses that contains i.
    adjusted = [
        max(
            min(1.0, len(subset) * min(p[j] for j in subset))
            for size in range(1, len(p) + 1)
            for subset in itertools.combinations(range(len(p)), size)
            if i in subset
        )
        for i in range(len(p))
    ]
    assert holm(p) == pytest.approx(adjusted)
