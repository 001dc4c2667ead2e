"""Bjontegaard deltas against published figures, closed forms and simulated studies."""

from __future__ import annotations

import os
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from taae.analysis.bjontegaard import Points, between_trainings, deltas, gap, undominated
from taae.analysis.findings.wording import bits_at_equal_quality
from taae.analysis.run_files import RUN, read_runs
from taae.analysis.statistics import RunVariance
from taae.analysis.tables.bd_rate import BITS, COLUMNS, bd_rate_table, curves_of
from taae.analysis.tables.bitrates import _bitrates
from taae.codec.operating_points import NATIVE
from taae.study.study import Study
from tests.unit.analysis.fake_scores import fake_scores, study

STUDIES = int(os.environ.get("TAAE_STUDIES", "100"))  # simulated
RATES = np.array([2400.0, 3102.0, 4800.0])


def points(quality: np.ndarray, rates: np.ndarray = RATES) -> Points:
    """Return points of speakers who say as much each, at the same rates; (points, speakers)."""
    seconds = np.full(quality.shape[1], 20.0)
    return Points(quality, rates[:, None] * seconds, seconds)


def test_the_deltas_are_those_of_the_published_package() -> None:
    """What `bjontegaard` 1.3.0 (PCHIP) says of the example of its own documentation."""
    rate = np.log([1358.24, 2486.44, 4593.60, 9487.76])
    psnr = np.array([34.851, 36.845, 38.615, 40.037])
    other_rate = np.log([1356.24, 2451.52, 4469.00, 9787.80])
    other_psnr = np.array([34.987, 36.970, 38.651, 40.121])
    saved = gap((psnr, rate), (other_psnr, other_rate))
    gained = gap((rate, psnr), (other_rate, other_psnr))
    assert 100 * np.expm1(saved.mean) == pytest.approx(-4.417485350589045, abs=1e-9)
    assert gained.mean == pytest.approx(0.11969278542479489, abs=1e-9)
    assert (saved.low, saved.high) == (34.987, 40.037)


def test_a_tenth_more_bits_at_every_quality_is_ten_per_cent() -> None:
    quality = np.array([[3.0, 2.0], [4.1, 3.0], [5.0, 4.4]])
    found = deltas(points(quality), points(quality, 1.1 * RATES))
    assert found.log_rate.value == pytest.approx(np.log(1.1))
    assert found.log_rate.error == pytest.approx(0)  # every speaker says the same
    assert found.quality.value < 0


def test_equal_shifts_of_speakers_have_the_interval_of_student() -> None:
    """Curves that differ by a constant per speaker: the mean difference, and its t interval."""
    rng = np.random.default_rng(3)
    quality = np.array([3.0, 4.1, 5.0])[:, None] + rng.normal(0, 1, 12)
    shift = rng.normal(0.4, 0.2, 12)
    found = deltas(points(quality), points(quality + shift))
    error = shift.std(ddof=1) / np.sqrt(12)
    half = stats.t.ppf(0.95, 11) * error
    low, high = found.quality.interval(0.9, None)
    assert found.quality.value == pytest.approx(shift.mean())
    assert (low, high) == pytest.approx((shift.mean() - half, shift.mean() + half))
    # The noise of training: variances add, degrees of freedom by Satterthwaite.
    runs = RunVariance(0.01, 3)
    df = (error**2 + 0.01) ** 2 / (error**4 / 11 + 0.01**2 / 3)
    half = stats.t.ppf(0.95, df) * np.hypot(error, 0.1)
    low, high = found.quality.interval(0.9, runs)
    assert (low, high) == pytest.approx((shift.mean() - half, shift.mean() + half))
    assert found.log_rate.interval(0.9, None)[1] < 0


def test_trainings_of_one_thing_differ_by_twice_the_variance_of_one() -> None:
    found = between_trainings([0.1, -0.2, 0.4])
    assert found == RunVariance(pytest.approx(2 * statistics.variance([0, 0.1, -0.2, 0.4])), 3)
    assert between_trainings([]) is None
    assert between_trainings([0.1, np.nan, -0.2, 0.4]) == found  # a control may reach no quality
    assert between_trainings([np.nan]) is None


def test_dominated_points_are_not_on_the_curve() -> None:
    rates = np.array([2400.0, 3102.0, 3102.0, 2277.0, 4800.0, 4000.0])
    qualities = np.array([3.6, 4.1, 3.2, 3.0, 5.0, 4.1])
    assert undominated(rates, qualities) == [3, 0, 1, 4]
    assert undominated(rates[:1], qualities[:1]) == [0]


def test_curves_that_share_no_quality_have_no_rate_but_a_quality() -> None:
    quality = np.array([[3.0, 2.0], [4.1, 3.0], [5.0, 4.4]])
    found = deltas(points(quality), points(quality + 9))
    assert np.isnan([found.log_rate.value, found.log_rate.error, found.overlap_low]).all()
    assert found.quality.value == pytest.approx(9)


def test_an_interval_is_unknown_where_a_point_hangs_on_one_speaker() -> None:
    quality = np.array([[3.0, 3.0, 3.0], [3.1, 2.9, 3.1], [5.0, 5.0, 5.0]])
    for some in (quality, quality[:, :1]):  # the second: a single speaker
        found = deltas(points(some), points(some))
        assert found.log_rate.value == 0
        assert np.isnan(found.log_rate.interval(0.95, None)).all()


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Twelve speakers differ by level, by slope and by what the arm does to them.

    The truth is the delta of the speakers' mean curves, whose means are known. Four standard
    deviations of the share of studies that cover it are allowed.
    """
    rng = np.random.default_rng(7)
    mean = np.array([3.0, 4.0, 5.0])
    change = np.array([-0.25, -0.15, -0.1])
    curves = points(mean[:, None]), points((mean + change)[:, None])
    truth = deltas(*curves).log_rate.value
    covered = 0
    for _ in range(STUDIES):
        quality = mean[:, None] + rng.normal(0, 1.5, 12) + rng.normal(0, 0.1, (3, 12))
        effect = change[:, None] + rng.normal(0, 0.1, 12) + rng.normal(0, 0.05, (3, 12))
        found = deltas(points(quality), points(quality + effect)).log_rate
        low, high = found.interval(0.95, None)
        covered += low <= truth <= high
    slack = 4 * np.sqrt(0.95 * 0.05 / STUDIES)
    assert 0.95 - slack <= covered / STUDIES <= 0.95 + slack


def test_curves_are_of_one_kind_of_grid_and_of_three_points() -> None:
    assert curves_of(["16@own", "6@own", "6@1"]) == {"own": [NATIVE, "16@own", "6@own"]}
    presets = ["1x46656", "2x15625", "8@own"]
    assert curves_of(presets) == {"stages": [NATIVE, "1x46656", "2x15625"]}
    assert curves_of([]) == {}


def written(folder: Path, some: Study) -> tuple[Path, pd.DataFrame]:
    """Write scores that rise with the bits; return their folder, and the rates of the runs."""
    rates = []
    steps = {"1x46656": -1.0, NATIVE: 0.0, "2x15625": 1.0}
    for (variant, seed), rows in fake_scores(tuple(some.seeds)).groupby(["variant", "seed"]):
        for point, step in steps.items():
            if point not in some.points(str(variant)):
                continue
            better = rows["metric"].map({"mel_distance": -1}).fillna(1)
            path = folder / str(variant) / f"seed{seed}" / f"{point}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            one = rows.assign(value=rows["value"] + 0.5 * better * step)
            one.to_csv(path, index=False)
            spent = 1000 * 2**step * (1.25 if variant == "even-no-hybrid" else 1)
            bits = dict.fromkeys(BITS.values(), spent)
            run = {"variant": variant, "seed": seed, "point": point}
            names = one["utterance"].unique()
            rates.append(pd.DataFrame({"utterance": names, "seconds": 3.0, **bits, **run}))
    return folder, pd.concat(rates)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The table of a study with two seeds."""
    some = replace(study(), seeds=[1, 2])
    some = replace(some, bitrates=replace(some.bitrates, metrics=["si_sdr", "mel_distance"]))
    return bd_rate_table(*written(tmp_path_factory.mktemp("scores"), some), some)


def test_a_row_per_variant_metric_and_kind_of_bits(table: pd.DataFrame) -> None:
    assert list(table.columns) == COLUMNS
    assert len(table) == 5 * 2 * 3
    assert (table["status"] == "ok").all()
    assert (table["points"] == f"1x46656 {NATIVE} 2x15625").all()
    assert (table[["n_utterances", "n_speakers", "n_seeds"]] == [48, 12, 2]).all(axis=None)
    assert (table["low"] < table["bd_rate"]).all()
    assert (table["bd_rate"] < table["high"]).all()


def test_the_signs_follow_bits_and_metric(table: pd.DataFrame) -> None:
    """Scores are 0.1 of what fake_scores calls an effect, and rise by 0.5 for twice the bits."""
    coded = table[table["bits"] == "coded"].set_index(["variant", "metric"])
    worse = coded.loc[("even-neither", "si_sdr")]
    assert worse["bd_rate"] > 0
    assert worse["bd_quality"] == pytest.approx(-0.15, abs=0.06)
    assert worse["bd_rate"] == pytest.approx(100 * (2 ** (0.15 / 0.5) - 1), abs=10)
    mel = coded.loc[("even-neither", "mel_distance")]
    assert mel["bd_rate"] > 0
    assert mel["bd_quality"] > 0
    assert mel["bd_quality_low"] < mel["bd_quality"] < mel["bd_quality_high"]
    assert mel["overlap_low"] < mel["overlap_high"]
    dearer = coded.loc[("even-no-hybrid", "si_sdr")]
    assert dearer["bd_rate"] > 25  # a quarter more bits, and worse


def test_noise_is_what_controls_differ_by_and_no_control_vouches_for_itself(
    table: pd.DataFrame,
) -> None:
    odd = table[(table["reference"] == "baseline") & (table["bits"] == "coded")]
    of = odd[odd["metric"] == "si_sdr"].set_index("variant")
    alone = abs(np.log1p(of.loc["odd-no-symmetric", "bd_rate"] / 100))  # the only control
    assert of.loc["odd-no-hybrid", "noise"] == pytest.approx(100 * np.expm1(alone))
    assert of.loc["odd-no-hybrid", "noise_df"] == 1
    assert np.isnan(of.loc["odd-no-symmetric", "noise"])
    assert table.loc[table["reference"] == "even", "noise"].isna().all()
    assert (table["scope"] == "fixed checkpoint").all()  # one degree of freedom tells too little


def test_utterances_may_have_numbers_for_names(tmp_path: Path) -> None:
    some = replace(study(), seeds=[1])
    some = replace(some, bitrates=replace(some.bitrates, metrics=["si_sdr"]))
    folder, rates = written(tmp_path / "scores", some)
    expected = bd_rate_table(folder, rates, some)
    for path in folder.rglob("*.csv"):
        numbered(pd.read_csv(path)).to_csv(path, index=False)
    runs = []
    for (variant, seed, point), rows in rates.groupby(RUN):
        runs.append((variant, seed, point))
        path = tmp_path / variant / f"seed{seed}" / point / "rates.csv"
        path.parent.mkdir(parents=True)
        numbered(rows.drop(columns=RUN)).to_csv(path, index=False)
    found = bd_rate_table(folder, read_runs(tmp_path, runs, "rates.csv"), some)
    pd.testing.assert_frame_equal(found, expected)


def numbered(table: pd.DataFrame) -> pd.DataFrame:
    """Name utterances 001 and not v00-1."""
    return table.assign(utterance=table["utterance"].str.replace(r"\D", "", regex=True))


def test_bitrates_are_weighted_by_length_and_leave_the_rates_alone() -> None:
    run = {"variant": "a", "seed": 1, "point": NATIVE}
    rates = pd.DataFrame({"utterance": ["1", "2"], "seconds": [1.0, 3.0], **run})
    rates = rates.assign(coded_bps=[100.0, 200.0], nominal_bps=[200.0, 400.0])
    before = rates.copy()
    assert _bitrates(rates)["coded_bps"].tolist() == [175]
    pd.testing.assert_frame_equal(rates, before)


def test_three_seeds_make_no_more_of_one_control(tmp_path: Path) -> None:
    some = replace(study(), seeds=[1, 2, 3])
    some = replace(some, bitrates=replace(some.bitrates, metrics=["si_sdr"]))
    found = bd_rate_table(*written(tmp_path, some), some).set_index(["variant", "bits"])
    row = found.loc["odd-no-hybrid", "coded"]
    assert (row["noise_df"], row["n_seeds"], row["scope"]) == (1, 3, "fixed checkpoint")


def test_intervals_hold_the_noise_that_three_controls_tell(tmp_path: Path) -> None:
    some = replace(study(), seeds=[1])
    some = replace(some, bitrates=replace(some.bitrates, metrics=["si_sdr"]))
    even = some.ablations["fsq-even"]
    alone = bd_rate_table(*written(tmp_path, some), some)
    declared = replace(even, variants=[*even.variants, "baseline"], controls=[*even.variants])
    some = replace(some, ablations={**some.ablations, "fsq-even": declared})
    both = bd_rate_table(*written(tmp_path, some), some)
    row, was = (
        one[(one["reference"] == "even") & (one["bits"] == "nominal")].set_index("variant")
        for one in (both, alone)
    )
    assert row.loc["baseline", "scope"] == "over trainings"
    assert row.loc["baseline", "noise_df"] == 3
    gaps = np.log1p(was["bd_rate"] / 100)
    noise = np.sqrt(2 * statistics.variance([0, *gaps]))
    assert row.loc["baseline", "noise"] == pytest.approx(100 * np.expm1(noise))
    half = np.log1p(row.loc["baseline", "high"] / 100) - np.log1p(
        row.loc["baseline", "bd_rate"] / 100
    )
    assert half > 2.5 * noise
    assert (row.loc[even.variants, "scope"] == "fixed checkpoint").all()


def test_a_sentence_tells_what_arms_spend_in_coded_files(table: pd.DataFrame) -> None:
    rows = table[table["reference"] == "baseline"].assign(scope="over trainings")
    row = rows[rows["variant"] == "odd-no-hybrid"].iloc[0]
    assert (row["metric"], row["bits"]) == ("si_sdr", "coded")
    assert bits_at_equal_quality(rows, "si_sdr") == (
        "Bits of the coded files at equal SI-SDR, over the points of curve `stages` of"
        f" bd-rate.csv (exploratory, not corrected): odd-no-hybrid {row['bd_rate']:+.1f} % (95%"
        f" interval {row['low']:+.1f} to {row['high']:+.1f})."
    )  # and not what the control spends
    one = rows.assign(scope="fixed checkpoint")
    assert "not corrected, these checkpoints)" in bits_at_equal_quality(one, "si_sdr")
    assert bits_at_equal_quality(rows.assign(status="no_overlap"), "si_sdr") == ""
    assert bits_at_equal_quality(rows.iloc[:0], "si_sdr") == ""
