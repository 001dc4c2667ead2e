"""Hard conditions: tables of changes and of their differences, findings, and the figure."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from taae.analysis.figures.robustness import robustness as figure
from taae.analysis.findings.table import findings
from taae.analysis.findings.wording import markdown
from taae.analysis.tables import robustness as tables
from taae.analysis.tables.comparisons import COLUMNS, comparisons
from taae.analysis.tables.factorial import COLUMNS as EFFECTS
from taae.evaluation.robustness.config import Robustness
from taae.study.load import resolve
from taae.study.overlay import merge, read_yaml
from taae.study.study import Study
from taae.utils.errors import TaaeError
from tests.unit.analysis.fake_scores import DEMO, fake_scores
from tests.unit.analysis.test_findings import controlled
from tests.unit.analysis.test_lengths_cost import step_down

METRICS = ["si_sdr", "mel_distance", "stoi"]
CONDITIONS = {("flip-random", 0.01): -0.1, ("flip-random", 0.1): -0.5, ("pass", 2.0): -0.2}
# What a condition takes from one arm beyond what it takes from every other.
MORE = {("window-32", "flip-random"): -0.3}


def hard_study() -> Study:
    """Return the study with hard conditions; four of its arms are the same by construction."""
    found = controlled()
    settings = Robustness(ablations=["fsq-odd", "window"], metrics=METRICS)
    return replace(found, robustness=settings)


STUDY = hard_study()


def hard_scores() -> pd.DataFrame:
    """Return scores as `taae robustness` writes them, of every arm."""
    base = fake_scores(utterances=2)
    base = base[base["variant"].isin(STUDY.robustness_arms) & base["metric"].isin(METRICS)]
    parts = [base.assign(condition="clean", amount=0.0, codes_changed=np.nan)]
    better = np.where(base["metric"] == "mel_distance", -1, 1)
    for (name, amount), change in CONDITIONS.items():
        rng = np.random.default_rng(zlib.crc32(f"{name} {amount}".encode()))
        own = np.array([MORE.get((variant, name), 0.0) for variant in base["variant"]])
        # Some speakers suffer more than others, under every arm.
        speaker = base["speaker"].str[1:].astype(int).to_numpy() / 100
        value = base["value"] + better * (change + own - speaker) + rng.normal(0, 0.02, len(base))
        parts.append(base.assign(condition=name, amount=amount, codes_changed=0.3, value=value))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    return hard_scores()


@pytest.fixture(scope="module")
def found(
    scores: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pd.DataFrame]:
    results = tmp_path_factory.mktemp("results")
    for variant, rows in scores.groupby("variant"):
        path = results / "robustness" / str(variant) / "seed1.csv"
        path.parent.mkdir(parents=True)
        rows.to_csv(path, index=False)
        silence = pd.DataFrame({"variant": [variant], "seed": 1, "output_dbfs": -70.0})
        silence.to_csv(path.with_name("silence-seed1.csv"), index=False)
    return tables.robustness_tables(results, STUDY)


def speakers_change(
    scores: pd.DataFrame, variant: str, metric: str, condition: str, amount: float
) -> pd.Series:
    """Return each speaker's mean change from clean speech, from pivoted scores."""
    rows = scores[(scores["variant"] == variant) & (scores["metric"] == metric)]
    wide = rows.pivot_table(
        index=["speaker", "utterance"], columns=["condition", "amount"], values="value"
    )
    change: pd.Series = (wide[condition, amount] - wide["clean", 0.0]).groupby("speaker").mean()
    return change


def test_changes_are_paired_and_corrected_over_all_conditions(
    scores: pd.DataFrame, found: dict[str, pd.DataFrame]
) -> None:
    """Oracle: scipy's test, speaker by speaker."""
    table = found["robustness"]
    assert len(table) == (len(CONDITIONS) + 1) * len(STUDY.robustness_arms) * len(METRICS)
    away = table["condition"] != "clean"
    for row in table[away].itertuples():
        change = speakers_change(scores, row.variant, row.metric, row.condition, row.amount)
        expected = stats.ttest_1samp(change, 0)
        interval = expected.confidence_interval(0.95)
        assert (row.change_low, row.change_high) == pytest.approx((interval.low, interval.high))
        assert row.change == pytest.approx(change.mean())
        assert row.change_p == pytest.approx(expected.pvalue)
        assert row.codes_changed == pytest.approx(0.3)
    assert table.loc[away, "worse"].all()  # of metrics where lower is better too
    adjusted = step_down(table.loc[away, "change_p"].tolist())
    assert table.loc[away, "change_p_holm"].tolist() == pytest.approx(adjusted)
    assert (table.loc[~away, "change"] == 0).all()
    assert table.loc[~away, "change_p_holm"].isna().all()
    means = scores.groupby(["condition", "amount", "variant", "metric", "speaker"])["value"].mean()
    means = means.groupby(level=[0, 1, 2, 3]).mean()
    for row in table.itertuples():
        assert row.mean == pytest.approx(means[row.condition, row.amount, row.variant, row.metric])


def test_comparisons_are_differences_of_differences_in_families_of_their_own(
    scores: pd.DataFrame, found: dict[str, pd.DataFrame]
) -> None:
    table = found["robustness-comparisons"]
    arms = [arm for each in STUDY.robustness_ablations.values() for arm in each.variants]
    assert len(table) == len(CONDITIONS) * len(arms) * len(METRICS)
    for row in table.itertuples():
        one, other = (
            speakers_change(scores, name, row.metric, row.condition, row.amount)
            for name in (row.variant, row.reference)
        )
        error, df = (one - other).sem(), len(one) - 1
        if row.noise_df >= 3:  # then training's part is in the test
            total = error**2 + row.noise**2
            df = total**2 / (error**4 / df + row.noise**4 / row.noise_df)
            error = total**0.5
        assert row.difference == pytest.approx((one - other).mean())
        assert row.p == pytest.approx(2 * stats.t.sf(abs(row.difference) / error, df))
    families = table.groupby("family")
    primary = {name: each.primary for name, each in STUDY.ablations.items()}
    for row in table.itertuples():
        main = row.metric == primary[row.ablation]
        expected = "robustness" if main else "robustness-secondary"
        assert row.family == ("robustness-control" if row.control else expected)
    for name, rows in families:
        if name == "robustness-control":
            assert rows["p_holm"].isna().all()
        else:
            assert rows["p_holm"].tolist() == pytest.approx(step_down(rows["p"].tolist()))
            assert set(rows["family_size"]) == {len(rows)}


def test_the_noise_of_training_is_told_by_the_changes_of_arms_that_are_the_same(
    scores: pd.DataFrame, found: dict[str, pd.DataFrame]
) -> None:
    """Oracle: the pooled variance of the arms' mean changes within groups of equal arms."""
    table = found["robustness-comparisons"]
    same = ["baseline", *STUDY.ablations["fsq-odd"].controls, "window-64"]
    row = table[
        (table["variant"] == "window-32")
        & (table["metric"] == "stoi")
        & (table["condition"] == "pass")
    ].iloc[0]
    means = [speakers_change(scores, name, "stoi", "pass", 2.0).mean() for name in same]
    assert row["noise_df"] == len(means) - 1
    assert row["noise"] == pytest.approx(np.sqrt(2 * np.var(means, ddof=1)))


@pytest.mark.parametrize(("silent", "status"), [(12, "too_many_failed"), (2, "ok")])
def test_the_utterances_that_survive_do_not_speak_for_an_arm_that_falls_silent(
    scores: pd.DataFrame, silent: int, status: str
) -> None:
    """A tenth of the 24 utterances may fail, and no arm but the silent one is concerned."""
    here = (scores["variant"] == "window-32") & (scores["condition"] == "pass")
    names = sorted(scores["utterance"].unique(), key=lambda name: name[::-1])[:silent]
    gone = here & scores["utterance"].isin(names)
    table = tables.robustness_comparisons(scores.assign(value=scores["value"].mask(gone)), STUDY)
    own = (table["variant"] == "window-32") & (table["condition"] == "pass")
    assert set(table.loc[own, "status"]) == {status}
    assert set(table.loc[own, "n_excluded"]) == {silent}
    assert set(table.loc[~own, "status"]) == {"ok"}
    hard = found_findings({"robustness-comparisons": table})
    judged = (hard["variant"] == "window-32") & (hard["condition"] == "pass")
    assert judged.any() == (status == "ok")


@pytest.mark.parametrize(
    ("change", "words"),
    [({"settings": "a2"}, "several settings"), ({"amount": 0.1}, "twice")],
)
def test_scores_that_do_not_compare_are_refused(
    scores: pd.DataFrame, tmp_path: Path, change: dict, words: str
) -> None:
    rows = scores[scores["variant"] == "baseline"]
    changed = rows["amount"] == 0.01
    parts = [rows[~changed], rows[changed].assign(**change)]
    pd.concat(parts).to_csv(tmp_path / "seed1.csv", index=False)
    with pytest.raises(TaaeError, match=words):
        tables.read_conditions([tmp_path / "seed1.csv"])


def found_findings(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    native = comparisons(fake_scores(), STUDY)
    points = pd.DataFrame(columns=["point", "same_as", *COLUMNS])
    factorial = pd.DataFrame(columns=EFFECTS)
    return findings(native, points, factorial, STUDY, None, found["robustness-comparisons"])


def test_findings_say_which_arm_suffers_more_and_change_no_other_finding(
    found: dict[str, pd.DataFrame],
) -> None:
    table = found_findings(found)
    hard = table["effect"] == "robustness"
    row = table[
        hard
        & (table["variant"] == "window-32")
        & (table["metric"] == "stoi")
        & (table["amount"] == 0.01)
    ].iloc[0]
    assert row["verdict"] == "worse"
    assert row["difference"] == pytest.approx(-0.3, abs=0.02)
    assert row["role"] == "exploratory"
    assert row["sentence"].startswith("window-32 against baseline (")
    assert ") with 1 % of codes flipped to any other level: the change of STOI" in row["sentence"]
    assert f"from clean speech is {abs(row['difference']):.4f} worse" in row["sentence"]
    distance = table[hard & (table["variant"] == "window-32") & (table["amount"] == 0.1)]
    distance = distance[distance["metric"] == "mel_distance"].iloc[0]
    assert distance["difference"] > 0  # a larger distance
    assert " worse (" in distance["sentence"]
    text = markdown(table, STUDY)
    assert "Under hard conditions, " in text
    assert row["sentence"] in text
    native = comparisons(fake_scores(), STUDY)
    points = pd.DataFrame(columns=["point", "same_as", *COLUMNS])
    alone = findings(native, points, pd.DataFrame(columns=EFFECTS), STUDY)
    assert set(alone["condition"]) == {"clean"}
    pd.testing.assert_frame_equal(table[~hard].reset_index(drop=True), alone, check_dtype=False)


def test_the_figure_has_two_panels_for_each_condition(found: dict[str, pd.DataFrame]) -> None:
    drawn = figure(STUDY, "window", found["robustness"], found["robustness-comparisons"])
    panels = [axis for axis in drawn.axes if axis.axison]
    titles = [axis.get_title(loc="left") for axis in panels]
    assert titles[0::2] == ["flips to any (%)", "passes"]
    assert set(titles[1::2]) == {"minus reference's"}
    assert [label.get_text() for label in panels[0].get_xticklabels()] == ["1", "10"]
    first, second = panels[0].get_xticks()
    assert second - first == pytest.approx(1)  # decades


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ablations": ["windw"]}, ["robustness.ablations", "windw", "window"]),
        (
            {"ablations": ["fsq"], "metrics": ["stoi"]},
            ["robustness.metrics", "si_sdr", "ablations.fsq"],
        ),
        ({"ablations": ["fsq"], "metrics": ["si_sdr", "visqol"]}, ["robustness.metrics", "visqol"]),
        ({"losses": [1.5]}, ["robustness.losses"]),
        ({"passes": [1]}, ["robustness.passes"]),
        (
            {
                "ablations": ["fsq"],
                "flips": {"to": []},
                **{key: [] for key in ("losses", "passes", "gains_db", "noise_db", "band_hz")},
            },
            ["robustness", "switched off", "flips.rates", "losses", "band_hz"],
        ),
    ],
)
def test_a_section_that_cannot_be_run_is_refused(change: dict, words: list[str]) -> None:
    with pytest.raises(TaaeError) as told:
        resolve(merge(read_yaml(DEMO), {"robustness": change}))
    for word in words:
        assert word in str(told.value)


def test_the_overlay_puts_arms_of_the_demo_through_the_conditions() -> None:
    overlay = read_yaml(Path(DEMO).parent / "workflow" / "studies" / "robustness.yaml")
    found = resolve(merge(read_yaml(DEMO), overlay))
    assert {"levels", "levels-no-hybrid", "baseline", "window-32"} <= set(found.robustness_arms)
    assert resolve(read_yaml(DEMO)).robustness_arms == []
