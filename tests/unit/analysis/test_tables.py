"""Tables of scores with known effects, failures and holes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from taae.analysis.run_files import collect
from taae.analysis.tables import comparisons, factorial
from taae.analysis.tables import scores as tables
from taae.analysis.tables.publish import write_summary
from taae.analysis.write import write_table
from taae.study.study import Study
from taae.utils.errors import TaaeError
from taae.utils.files import write_csv
from tests.unit.analysis.fake_scores import EFFECT, fake_scores, study

STUDY = study()
CAPTIONS = sorted((Path(__file__).parents[3] / "workflow" / "report").glob("*.rst"))


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    return fake_scores()


@pytest.fixture(scope="module")
def summary(scores: pd.DataFrame) -> pd.DataFrame:
    return tables.summary(scores, STUDY)


@pytest.fixture(scope="module")
def compared(scores: pd.DataFrame) -> pd.DataFrame:
    return comparisons.comparisons(scores, STUDY)


def cell(table: pd.DataFrame, variant: str, metric: str) -> pd.Series:
    return table[(table["variant"] == variant) & (table["metric"] == metric)].iloc[0]


def fail(scores: pd.DataFrame, variant: str, metric: str, status: str, value: float) -> pd.Series:
    """Spoil the first row of a variant and metric in place; return it as it was."""
    place = scores.index[(scores["variant"] == variant) & (scores["metric"] == metric)][0]
    before = scores.loc[place].copy()
    scores.loc[place, ["status", "value", "message"]] = [status, value, "what happened"]
    return before


def test_collect_joins_files_and_keeps_names_as_text(scores: pd.DataFrame, tmp_path: Path) -> None:
    numbered = scores.assign(
        speaker=np.where(scores["metric"] == "stoi", "NA", "007"),
        utterance=scores["utterance"].str.replace("v", "0"),
    )
    parts = [tmp_path / f"{name}.csv" for name in ("a", "b")]
    write_csv(numbered.iloc[:100], parts[0])
    write_csv(numbered.iloc[100:], parts[1])
    found = collect(parts)
    assert len(found) == len(scores)
    assert set(found["speaker"]) == {"007", "NA"}
    assert found["utterance"].tolist() == numbered["utterance"].tolist()
    assert found["value"].tolist() == scores["value"].tolist()


def test_collect_refuses_what_cannot_be_analysed(scores: pd.DataFrame, tmp_path: Path) -> None:
    def refusal(table: pd.DataFrame) -> str:
        path = tmp_path / "scores.csv"
        write_csv(table, path)
        with pytest.raises(TaaeError) as error:
            collect([path])
        return str(error.value)

    assert "no column status" in refusal(scores.drop(columns="status"))
    message = refusal(pd.concat([scores, scores.iloc[:1]]))
    assert "has si_sdr of utterance 'v00-0' twice, from baseline-1; give each" in message
    assert "line 3: no speaker" in refusal(
        scores.assign(speaker=scores["speaker"].mask(scores.index == 1))
    )
    assert "unknown metric 'sisdr'" in refusal(scores.replace({"metric": {"si_sdr": "sisdr"}}))
    renamed = scores.assign(
        variant=scores["variant"].replace({"even": "baseline"}), run=scores["run"] + "-b"
    )
    message = refusal(renamed)
    assert "variant 'baseline' with seed 1 has si_sdr of" in message
    assert "twice, from baseline-1-b, even-1-b;" in message
    assert "--variant" in message
    mixed = scores.assign(settings=np.where(scores["variant"] == "even", "b2", "a1"))
    assert "several settings (a1, b2)" in refusal(mixed)


def test_summary_has_every_variant_and_metric(scores: pd.DataFrame, summary: pd.DataFrame) -> None:
    assert len(summary) == len(STUDY.variants) * len(STUDY.metrics.names)
    row = cell(summary, "even", "stoi")
    values = scores[(scores["variant"] == "even") & (scores["metric"] == "stoi")]["value"]
    assert row["mean"] == pytest.approx(values.mean())
    assert row["sd"] == pytest.approx(values.std())
    assert row["median"] == pytest.approx(values.median())
    assert row["bitrate"] == pytest.approx(50 * 12 * 4)
    assert (row["n_utterances"], row["n_speakers"], row["n_failed"]) == (48, 12, 0)
    assert (row["direction"], cell(summary, "even", "mel_distance")["direction"]) == (
        "higher",
        "lower",
    )


def test_a_variant_without_scores_is_a_row_without_numbers(scores: pd.DataFrame) -> None:
    without = scores[scores["variant"] != "even"]
    row = cell(tables.summary(without, STUDY), "even", "stoi")
    assert (row["n_utterances"], row["scope"]) == (0, "")
    assert np.isnan(row["mean"])
    found = cell(comparisons.comparisons(without, STUDY), "even-neither", "stoi")
    assert found["status"] == "no_pairs"


@pytest.mark.parametrize(
    ("status", "value", "column"),
    [
        ("crash", np.nan, "n_failed"),
        ("crash", 99.0, "n_failed"),
        ("identical", np.inf, "n_identical"),
    ],
)
def test_rows_that_are_not_ok_are_counted_and_in_no_mean(
    scores: pd.DataFrame, status: str, value: float, column: str
) -> None:
    spoilt = scores.copy()
    fail(spoilt, "window-32", "si_sdr", status, value)
    found = tables.summary(spoilt, STUDY)
    row = cell(found, "window-32", "si_sdr")
    dropped = spoilt[spoilt["status"] == "ok"]
    expected = cell(tables.summary(dropped, STUDY), "window-32", "si_sdr")
    assert row[["mean", "low", "high", "sd", "median"]].equals(
        expected[["mean", "low", "high", "sd", "median"]]
    )
    assert np.isfinite(row["mean"])
    assert (row[column], row["n_utterances"]) == (1, 47)
    assert found["n_failed"].sum() + found["n_identical"].sum() == 1


def test_a_speaker_who_lacks_a_seed_is_in_no_statistic(tmp_path: Path) -> None:
    """Also where the others have values: mean, sd and median are of the same utterances."""
    several = fake_scores(seeds=(1, 2, 3), speakers=6, utterances=2)
    mine = (several["variant"] == "even") & (several["metric"] == "stoi")
    gone = mine & (several["speaker"] == "v04")
    lacking = gone & (several["seed"] == 2)
    several.loc[gone, "value"] = 50.0  # it would be seen in any of them
    several.loc[lacking, ["status", "value"]] = ["crash", np.nan]
    found = tables.summary(several, STUDY)
    row, expected = (
        cell(table, "even", "stoi") for table in (found, tables.summary(several[~gone], STUDY))
    )
    same = ["mean", "low", "high", "sd", "median", "n_utterances", "n_speakers", "n_seeds"]
    assert row[same].equals(expected[same])
    assert (row["n_utterances"], row["n_speakers"], row["n_failed"]) == (10, 5, 6)
    assert row["n_identical"] == 0
    write_summary(found, tmp_path)
    assert (
        "Failed, or of a speaker who lacks a seed, counted and in no mean: even STOI 6."
        in (tmp_path / "summary.md").read_text()
    )


def test_comparisons_find_the_effects_and_spare_the_control(compared: pd.DataFrame) -> None:
    found = cell(compared, "even-neither", "stoi")
    expected = -0.1 * (EFFECT["even-neither"] - EFFECT["even"])
    assert found["difference"] == pytest.approx(expected, abs=0.02)
    assert found["p_holm"] < 0.001
    assert cell(compared, "even-neither", "mel_distance")["difference"] > 0.1
    controls = compared[compared["control"]]
    assert set(controls["variant"]) == {"odd-no-symmetric"}
    assert (controls["p"] > 0.01).all()
    assert set(compared[compared["primary"]]["metric"]) == {"stoi"}


def test_holm_runs_over_each_family_by_itself(compared: pd.DataFrame) -> None:
    """Primaries of the declared ablations, everything else, and controls, which have none."""
    assert len(compared) == 9 * 4
    sizes = compared.groupby("family")["family_size"].agg(["size", "first"])
    assert sizes.to_dict("index") == {
        "confirmatory": {"size": 8, "first": 8},  # every arm but the control, on STOI
        "exploratory": {"size": 24, "first": 24},
        "control": {"size": 4, "first": 0},
    }
    assert compared.loc[compared["family"] == "control", "p_holm"].isna().all()
    for family in ("confirmatory", "exploratory"):
        rows = compared[compared["family"] == family]
        assert rows["p_holm"].min() == pytest.approx(len(rows) * rows["p"].min())


def with_controls(**controls: list[str]) -> Study:
    """Return the study where each ablation has these controls, or none."""
    ablations = {
        name: replace(ablation, controls=controls.get(name.replace("-", "_"), []))
        for name, ablation in STUDY.ablations.items()
    }
    return replace(STUDY, ablations=ablations)


def test_noise_is_the_spread_of_what_is_the_same_by_construction(scores: pd.DataFrame) -> None:
    """Oracle: means by hand; all speakers have as many utterances."""
    controlled = with_controls(fsq_odd=["odd-no-symmetric"], window=["window-64"])
    compared = comparisons.comparisons(scores, controlled)
    found = comparisons.noise_table(scores, controlled)
    means = scores.groupby(["metric", "variant"])["value"].mean()
    assert set(found["metric"]) == set(STUDY.metrics.names)
    power = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    for row in found.itertuples():
        here = means[row.metric]
        expected = here[["baseline", "odd-no-symmetric", "window-64"]].std() * 2**0.5
        assert (row.n_runs, row.df) == (3, 2)
        assert row.noise == pytest.approx(expected)
        assert row.detectable == pytest.approx(power * expected, rel=1e-3)
        rows = compared[(compared["metric"] == row.metric) & ~compared["control"]]
        assert len(rows) == 7  # of every ablation, also of those without controls
        assert rows["noise"].tolist() == pytest.approx([expected] * 7)
        assert set(rows["noise_df"]) == {2}


def test_a_control_that_moved_away_from_the_trunk_tells_no_noise(scores: pd.DataFrame) -> None:
    controlled = with_controls(fsq_even=["even-no-symmetric", "even-no-hybrid"])
    begun = {
        name: replace(variant, training=replace(variant.training, start="trunk"))
        for name, variant in controlled.variants.items()
    }
    study = replace(controlled, variants=begun, trunk=begun["even"])
    means = scores.groupby(["metric", "variant"])["value"].mean()
    for row in comparisons.noise_table(scores, study).itertuples():
        pair = means[row.metric][["even", "even-no-hybrid"]]
        assert (row.n_runs, row.df) == (2, 1)
        assert row.noise == pytest.approx(pair.std() * 2**0.5)


def test_a_control_is_judged_by_the_others(scores: pd.DataFrame) -> None:
    controlled = with_controls(fsq_odd=["odd-no-symmetric"], window=["window-64"])
    compared = comparisons.comparisons(scores, controlled)
    means = scores.groupby(["metric", "variant"])["value"].mean()
    for arm, other in (("odd-no-symmetric", "window-64"), ("window-64", "odd-no-symmetric")):
        row = cell(compared, arm, "stoi")
        pair = means["stoi"][["baseline", other]]
        assert row["noise"] == pytest.approx(pair.std() * 2**0.5)
        assert row["noise_df"] == 1
    alone = comparisons.comparisons(scores, with_controls(window=["window-64"]))
    assert np.isnan(cell(alone, "window-64", "stoi")["noise"])


def test_seeds_tell_the_noise_of_all_arms_that_are_trained_alike() -> None:
    """Oracle: the interaction of a two-way table, by hand."""
    several = fake_scores(seeds=(1, 2, 3), speakers=6, utterances=2)
    seeded = replace(STUDY, seeds=[1, 2, 3])
    found = comparisons.noise_table(several, seeded).set_index("metric")
    rows = several[several["metric"] == "stoi"]
    cells = rows.pivot_table("value", "variant", "seed").to_numpy()
    left = cells - cells.mean(axis=1)[:, None] - cells.mean(axis=0) + cells.mean()
    df = (len(cells) - 1) * 2
    assert found["df"]["stoi"] == df
    variance = float((left**2).sum() / df)
    assert found["noise"]["stoi"] == pytest.approx((2 * variance) ** 0.5)
    row = cell(comparisons.comparisons(several, seeded), "window-64", "stoi")
    assert row["noise"] == pytest.approx((2 * variance / 3) ** 0.5)
    speakers = rows.pivot_table("value", "variant", "speaker")
    change = speakers.loc["window-64"] - speakers.loc["baseline"]
    error = (change.var() / 6 + 2 * variance / 3) ** 0.5
    assert row["statistic"] == pytest.approx(change.mean() / error)


def test_arms_of_other_trainings_have_a_noise_of_their_own(scores: pd.DataFrame) -> None:
    controlled = with_controls(fsq_odd=["odd-no-symmetric"])
    longer = replace(
        controlled.variants["causal-64"],
        training=replace(controlled.variants["causal-64"].training, steps=7),
    )
    found = replace(controlled, variants=controlled.variants | {"causal-64": longer})
    compared = comparisons.comparisons(scores, found)
    assert np.isnan(cell(compared, "causal-64", "stoi")["noise"])
    assert cell(compared, "window-64", "stoi")["noise"] > 0
    arms = comparisons.noise_table(scores, found)["arms"].iloc[0].split()
    assert "causal-64" not in arms
    assert "window-32" in arms


def test_comparisons_noise_and_effects_are_written_together(
    scores: pd.DataFrame, tmp_path: Path
) -> None:
    alone = replace(STUDY, bitrates=replace(STUDY.bitrates, ablations=[]))
    write_csv(scores, tmp_path / "tables" / "scores.csv")
    write_table("comparisons", alone, tmp_path)
    names = ("comparisons", "noise", "factorial")
    compared, noise, effects = (pd.read_csv(tmp_path / "tables" / f"{name}.csv") for name in names)
    pd.testing.assert_frame_equal(
        compared, comparisons.comparisons(scores, alone), check_dtype=False
    )
    assert len(noise) == 4
    assert set(effects["effect"]) == {"even-no-symmetric", "even-no-hybrid", "interaction"}


def test_without_controls_the_noise_is_not_known(scores: pd.DataFrame) -> None:
    compared = comparisons.comparisons(scores, with_controls())
    assert compared["noise"].isna().all()
    assert compared["p_holm"].notna().all()
    assert comparisons.noise_table(scores, with_controls()).empty


def test_a_seed_that_is_missing_is_told() -> None:
    several = fake_scores(seeds=(1, 2, 3), speakers=6, utterances=2)
    seeded = replace(STUDY, seeds=[1, 2, 3])
    lost = several[(several["variant"] != "window-64") | (several["seed"] != 2)]
    found = comparisons.comparisons(lost, seeded)
    gone = found[found["variant"] == "window-64"]
    assert set(gone["status"]) == {"missing_seed"}
    assert gone[["p", "low", "high", "p_holm"]].isna().all(axis=None)
    assert set(found.loc[found["variant"] == "window-32", "status"]) == {"ok"}


def test_effects_of_crossed_changes(scores: pd.DataFrame) -> None:
    """Oracle: effects of the four speakers' means by hand, with scipy's t test."""
    found = factorial.factorial({"native": scores}, STUDY).query("metric == 'stoi'")
    rows = scores[scores["metric"] == "stoi"].groupby(["variant", "speaker"])["value"].mean()
    none, one, other, both = (
        rows[name] for name in ("even", "even-no-symmetric", "even-no-hybrid", "even-neither")
    )
    expected = {
        "even-no-symmetric": (one - none + both - other) / 2,
        "even-no-hybrid": (other - none + both - one) / 2,
        "interaction": both - one - other + none,
    }
    assert found["effect"].tolist() == list(expected)
    for row in found.itertuples():
        effect = expected[row.effect]
        tested = stats.ttest_1samp(effect, 0)
        assert row.difference == pytest.approx(effect.mean())
        assert (row.p, row.statistic) == pytest.approx((tested.pvalue, tested.statistic))
    assert found["key"].tolist() == [
        "bottleneck.rounding",
        "bottleneck.training",
        "bottleneck.rounding x bottleneck.training",
    ]


def test_effects_are_one_family_in_which_no_point_is_twice(scores: pd.DataFrame) -> None:
    moved = scores.assign(value=scores["value"] * 1.5)
    points = {"native": scores, "1x46656": moved, "2x15625": moved}
    found = factorial.factorial(points, STUDY)
    assert set(found["point"]) == {"native", "1x46656"}
    assert set(found["family_size"]) == {len(found)}
    assert found["p_holm"].min() == pytest.approx(min(1, len(found) * found["p"].min()))


def test_comparisons_at_other_points_have_a_row_per_point_variant_and_metric(
    scores: pd.DataFrame,
) -> None:
    """At the second point every difference is three times as large, and so is the noise."""
    points = {"native": scores, "1x46656": scores.assign(value=scores["value"] * 3)}
    native = comparisons.comparisons(scores, STUDY)
    found = comparisons.comparisons_at(points, STUDY, ["mel_distance", "stoi"], native)
    arms = {name: STUDY.ablations[name].variants for name in ("fsq-even", "fsq-odd")}
    expected = [
        (point, ablation, arm, metric)
        for point in points
        for ablation, names in arms.items()
        for arm in names
        for metric in ("mel_distance", "stoi")
    ]
    columns = ["point", "ablation", "variant", "metric"]
    assert list(found[columns].itertuples(index=False, name=None)) == expected
    means = scores.groupby(["metric", "variant"])["value"].mean()
    for row in found.itertuples():
        here, scale = means[row.metric], 1 if row.point == "native" else 3
        difference = here[row.variant] - here[row.reference]
        assert row.difference == pytest.approx(scale * difference)
        assert row.control == (row.variant == "odd-no-symmetric")
        control = abs(here["odd-no-symmetric"] - here["baseline"])
        assert np.isnan(row.noise) if row.control else row.noise == pytest.approx(scale * control)
        assert row.same_as == ""
    # At other points nothing is confirmatory; natively a row is what it is in comparisons.csv.
    away = found["point"] != "native"
    there = found[away & ~found["control"]]
    assert set(there["family"]) == {"points"}
    assert there["p_holm"].min() == pytest.approx(len(there) * there["p"].min())
    key = ["ablation", "variant", "metric"]
    kept = found[~away].merge(native, on=key, suffixes=("", "_native"))
    assert len(kept) == (~away).sum()
    for column in ("family", "p_holm", "difference", "family_size"):
        assert kept[column].equals(kept[f"{column}_native"])


def test_a_point_at_which_nothing_changes_is_told_and_in_no_family(scores: pd.DataFrame) -> None:
    """At the second point one arm and its reference have the same scores as natively."""
    moved = scores["variant"].isin(["even-no-symmetric", "baseline"])
    second = scores.assign(value=scores["value"] + 0.1 * moved)
    native = comparisons.comparisons(scores, STUDY)
    points = {"native": scores, "1x46656": second}
    found = comparisons.comparisons_at(points, STUDY, ["stoi"], native)
    there = found[found["point"] == "1x46656"].set_index("variant")
    assert there["same_as"]["even-no-hybrid"] == "native"
    assert there["family"]["even-no-hybrid"] == ""
    assert np.isnan(there["p_holm"]["even-no-hybrid"])
    assert there["same_as"]["even-no-symmetric"] == ""
    assert there["family"]["even-no-symmetric"] == "points"


def test_without_a_probed_ablation_no_point_is_compared(scores: pd.DataFrame) -> None:
    """As in a study whose pretrained variants alone are decoded at other points."""
    alone = replace(STUDY, bitrates=replace(STUDY.bitrates, ablations=[]))
    native = comparisons.comparisons(scores, alone)
    points = {"native": scores, "1x46656": scores}
    found = comparisons.comparisons_at(points, alone, ["stoi"], native)
    assert found.empty
    assert {"point", "variant", "noise", "p_holm"} <= set(found)


def test_a_failure_leaves_all_other_comparisons_alone(
    scores: pd.DataFrame, compared: pd.DataFrame
) -> None:
    spoilt = scores.copy()
    fail(spoilt, "window-32", "stoi", "crash", np.nan)
    found = comparisons.comparisons(spoilt, STUDY)
    touched = (found["variant"] == "window-32") & (found["metric"] == "stoi")
    columns = [name for name in found if name != "p_holm"]
    pd.testing.assert_frame_equal(found[~touched][columns], compared[~touched][columns])
    row = found[touched].iloc[0]
    assert (row["n_excluded"], row["n_utterances"]) == (1, 47)


def test_order_of_rows_changes_nothing(
    scores: pd.DataFrame, summary: pd.DataFrame, compared: pd.DataFrame
) -> None:
    shuffled = scores.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(tables.summary(shuffled, STUDY), summary, check_exact=True)
    pd.testing.assert_frame_equal(
        comparisons.comparisons(shuffled, STUDY), compared, check_exact=True
    )


def test_three_seeds_change_the_scope() -> None:
    several = fake_scores(seeds=(1, 2, 3), speakers=6, utterances=2)
    found = comparisons.comparisons(several, replace(STUDY, seeds=[1, 2, 3]))
    assert set(found["scope"]) == {"over 3 seeds"}
    assert set(found["n_seeds"]) == {3}


def test_one_speaker_is_labelled() -> None:
    alone = fake_scores(speakers=1)
    assert set(tables.summary(alone, STUDY)["scope"]) == {"this speaker only"}
    found = comparisons.comparisons(alone, STUDY)
    assert set(found["status"]) == {"too_few"}
    assert found["difference"].notna().all()


def test_compare_against_needs_no_study(scores: pd.DataFrame, compared: pd.DataFrame) -> None:
    found = comparisons.compare_against(scores, "baseline", STUDY.statistics)
    assert len(found) == (len(STUDY.variants) - 1) * 4
    same = ["difference", "low", "high", "p", "d_z"]
    one, other = (cell(table, "window-64", "pesq_wb") for table in (found, compared))
    assert one[same].equals(other[same])
    with pytest.raises(TaaeError, match="no variant 'base'"):
        comparisons.compare_against(scores, "base", STUDY.statistics)
    with pytest.raises(TaaeError, match="only 'even'"):
        comparisons.compare_against(scores[scores["variant"] == "even"], "even", STUDY.statistics)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda rows: rows.assign(seed=7), "no score of the same utterance, speaker and seed"),
        (lambda rows: rows[rows["speaker"] == "v00"], "one speaker; the unit"),
        (lambda rows: rows.assign(value=1.0), "the differences of all speakers are equal"),
    ],
)
def test_what_cannot_be_tested_is_told(
    scores: pd.DataFrame,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[pd.DataFrame], pd.DataFrame],
    why: str,
) -> None:
    two = scores[scores["variant"].isin(["baseline", "even"]) & (scores["metric"] == "stoi")]
    baseline = two[two["variant"] == "baseline"].assign(value=0.5)
    other = spoil(two[two["variant"] == "even"])
    comparisons.compare_against(pd.concat([baseline, other]), "baseline", STUDY.statistics)
    assert f"not tested against baseline: even: {why}" in capsys.readouterr().err


def test_failures_are_listed_with_the_first_one(scores: pd.DataFrame) -> None:
    assert tables.failures(scores).empty
    spoilt = scores.copy()
    before = fail(spoilt, "even", "pesq_wb", "crash", np.nan)
    fail(spoilt, "even", "si_sdr", "identical", np.inf)
    rows = tables.failures(spoilt).to_dict("records")
    assert rows == [
        {
            "variant": "even",
            "metric": "pesq_wb",
            "status": "crash",
            "n": 1,
            "utterance": before["utterance"],
            "message": "what happened",
        }
    ]


def test_coverage_of_the_demo() -> None:
    found = tables.coverage(STUDY)
    assert len(found) == 2 * len(STUDY.variants)
    row = found[(found["variant"] == "window-256") & (found["rate_hz"] == 100)].iloc[0]
    assert (row["tokens"], row["left"], row["right"]) == (256, 127, 128)
    query, key = np.indices((256, 256))
    seen = (key - query >= -127) & (key - query <= 128)
    assert row["share_removed"] == pytest.approx(1 - seen.mean())


def test_a_study_without_ablations_compares_nothing(scores: pd.DataFrame) -> None:
    STUDY_ALONE = type(STUDY)(**{**vars(STUDY), "ablations": {}})
    found = comparisons.comparisons(scores, STUDY_ALONE)
    assert found.empty
    assert {"p_holm", "noise"} <= set(found)
    assert comparisons.noise_table(scores, STUDY_ALONE).empty


def test_summary_is_published_as_csv_markdown_and_latex(
    scores: pd.DataFrame, tmp_path: Path
) -> None:
    spoilt = scores.copy()
    fail(spoilt, "even", "pesq_wb", "crash", np.nan)
    found = tables.summary(spoilt, STUDY)
    renamed = found.assign(variant=found["variant"].replace("even", "even_100%"))
    write_summary(renamed, tmp_path)
    back = pd.read_csv(tmp_path / "summary.csv")
    assert back["mean"].tolist() == found["mean"].tolist()

    caption, table, notes = (tmp_path / "summary.md").read_text().strip().split("\n\n")
    assert "95% interval" in caption
    assert "fixed checkpoint" in caption
    assert "12 speakers, 47 to 48 utterances" in caption
    lines = table.splitlines()
    assert len(lines) == 2 + len(STUDY.variants)
    assert {line.count("|") for line in lines} == {2 + 1 + len(STUDY.metrics.names)}
    columns = zip(*(line.split("|")[3:-1] for line in lines[2:]), strict=True)
    assert all(any("**" in text for text in column) for column in columns)
    baseline = cell(found, "baseline", "si_sdr")
    half = baseline["behind_high"] - baseline["behind"]
    assert f"{baseline['mean']:.2f}† ± {half:.2f}" in lines[2] or (
        f"{baseline['mean']:.2f} ± {half:.2f}" in lines[2]
    )
    assert "even_100% PESQ-WB 1" in notes

    latex = (tmp_path / "summary.tex").read_text()
    body = latex.split("\\midrule")[1].split("\\bottomrule")[0].strip().splitlines()
    assert len(body) == len(STUDY.variants)
    assert {line.count("&") for line in body} == {1 + len(STUDY.metrics.names)}
    assert all(line.endswith(r"\\") for line in body)
    assert r"even\_100\% & " in latex
    assert latex.count("\\begin{") == latex.count("\\end{")
    assert latex.count("{") == latex.count("}")


@pytest.mark.parametrize("path", CAPTIONS, ids=lambda path: path.stem)
def test_captions_render(path: Path) -> None:
    snakemake = {
        "config": {"seeds": [1, 2], "statistics": {"confidence": 0.9}},
        "wildcards": {"ablation": "window"},
    }
    template = jinja2.Template(path.read_text(), undefined=jinja2.StrictUndefined)
    text = template.render(snakemake=snakemake)
    assert "{{" not in text
    assert "95%" not in text
    assert ("90%" in text) == ("confidence" in path.read_text())
