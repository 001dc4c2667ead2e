"""Verdicts, their error rates on simulated studies, and sentences read back."""

from __future__ import annotations

import math
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from taae.analysis.findings.power import power_table
from taae.analysis.findings.table import evidence, findings
from taae.analysis.findings.verdict import Evidence, verdict
from taae.analysis.findings.wording import headlines, markdown, paragraphs
from taae.analysis.statistics import RunVariance, holm, joint_error
from taae.analysis.tables.comparisons import comparisons, comparisons_at
from taae.analysis.tables.factorial import factorial
from taae.analysis.training_noise import interaction_variance
from taae.analysis.write import write_table
from taae.evaluation.metrics import METRICS
from taae.study.study import Study
from taae.utils.files import write_csv
from tests.unit.analysis.fake_scores import fake_scores, study

STUDIES = int(os.environ.get("TAAE_STUDIES", "1500"))  # simulated; docs/metrics.md has a longer run
SPEAKERS = 12
LEVEL = 0.05


def controlled(**seeds: list[int]) -> Study:
    """Return the study with four arms that are the same by construction, and a margin."""
    found = study()
    odd = replace(
        found.ablations["fsq-odd"],
        variants=["odd-no-symmetric", "odd-no-hybrid"],
        controls=["odd-no-symmetric", "odd-no-hybrid"],
    )
    window = replace(found.ablations["window"], controls=["window-64"])
    margins = {"stoi": 0.05, "mel_distance": 0.05, "pesq_wb": 0.05}
    return replace(
        found,
        ablations=found.ablations | {"fsq-odd": odd, "window": window},
        statistics=replace(found.statistics, margins=margins),
        **seeds,
    )


STUDY = controlled()


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    scores = fake_scores()
    points = {"native": scores, "1x46656": scores.assign(value=scores["value"] * 1.5)}
    native = comparisons(scores, STUDY)
    at_points = comparisons_at(points, STUDY, STUDY.metrics.names, native)
    return findings(native, at_points, factorial(points, STUDY), STUDY)


def cell(table: pd.DataFrame, variant: str, metric: str, **columns: str) -> pd.Series:
    chosen = (table["variant"] == variant) & (table["metric"] == metric)
    native = {"point": "native", "test": "main", "effect": "difference"}
    for name, value in (native | columns).items():
        chosen &= table[name] == value
    (row,) = (table.loc[place] for place in table.index[chosen])
    return row


def test_error_and_df_are_sums_of_both_parts() -> None:
    evidence = Evidence(0.3, error=0.2, df=11, noise=0.1, noise_df=6, n_speakers=12)
    error, df = evidence.total()
    assert error == pytest.approx(math.hypot(0.2, 0.1))
    assert df == pytest.approx(0.05**2 / (0.04**2 / 11 + 0.01**2 / 6))
    low, high = evidence.interval(0.95)
    assert (low + high) / 2 == pytest.approx(0.3)
    assert evidence.p() == pytest.approx(2 * stats.t.sf(0.3 / error, df))


@pytest.mark.parametrize(("noise", "df"), [(math.nan, math.nan), (0.5, 2.0), (0.0, 9.0)])
def test_a_noise_of_too_few_runs_counts_as_not_known(noise: float, df: float) -> None:
    assert Evidence(0.3, 0.2, 11, noise, df, 12).total() == (pytest.approx(0.2), 11)


@given(
    difference=st.floats(-3, 3),
    error=st.floats(0.01, 2),
    noise=st.floats(0.01, 2),
    margin=st.floats(0.01, 3),
    better=st.sampled_from([-1, 1]),
)
@settings(max_examples=200, deadline=None)
def test_equivalence_is_the_interval_within_the_margin(
    difference: float, error: float, noise: float, margin: float, better: int
) -> None:
    """Two one-sided tests at 5 % are a 90 % interval that lies inside the margin."""
    evidence = Evidence(difference, error, 11, noise, 5, SPEAKERS)
    low, high = evidence.interval(0.90)
    inside = -margin < low and high < margin
    said = verdict(difference, better, evidence.p(), evidence.equivalence_p(margin), 0.95)
    if abs(max(-low, high) - margin) > 1e-9:
        assert (said == "equivalent") == inside
    low, high = evidence.interval(0.95)
    if not inside and abs(low) > 1e-9 and abs(high) > 1e-9:
        expected = "undetermined"
        if low > 0 or high < 0:
            expected = "better" if difference * better > 0 else "worse"
        assert said == expected


def test_a_metric_without_a_margin_is_never_equivalent(found: pd.DataFrame) -> None:
    rows = found[found["metric"] == "si_sdr"]
    assert rows["margin"].isna().all()
    assert "equivalent" not in set(rows["verdict"])


def test_the_study_detects_what_it_says_it_detects() -> None:
    """Power of 80 % at the detectable difference, by simulation; a quarter of it: much less."""
    random = np.random.default_rng(4)
    pilot = Evidence(0.0, 0.1, 11, 0.1, 9, SPEAKERS)
    effect = pilot.detectable(0.95)
    rates = []
    for true in (effect, effect / 4):
        n = 4000
        error = 0.1 * np.sqrt(random.chisquare(11, n) / 11)
        noise = 0.1 * np.sqrt(random.chisquare(9, n) / 9)
        values = true + random.normal(0, math.hypot(0.1, 0.1), n)
        evidences = map(Evidence, values, error, [11] * n, noise, [9] * n)
        rates.append(np.mean([each.p() < LEVEL for each in evidences]))
    assert rates[0] == pytest.approx(0.8, abs=0.04)
    assert rates[1] < 0.3


def test_needs_are_the_least_that_is_enough() -> None:
    pilot = Evidence(0.0, 0.1, 11, 0.05, 5, SPEAKERS)
    margin = 0.2
    speakers = int(pilot.speakers_for(margin, 0.95))
    assert pilot.detectable(0.95, speakers=speakers / SPEAKERS) <= margin
    assert pilot.detectable(0.95, speakers=(speakers - 1) / SPEAKERS) > margin
    assert math.isnan(pilot.speakers_for(0.05, 0.95))  # the noise of training stays
    seeds = int(Evidence(0.0, 0.02, 11, 0.1, 5, SPEAKERS).seeds_for(margin, 0.95))
    assert seeds > 1


def simulated(
    random: np.random.Generator, effects: np.ndarray, controls: int, ratio: float
) -> list[Evidence]:
    """Return the evidence of one study with one seed: arms with true effects against a reference.

    Trainings differ by a standard deviation of 1, which makes `ratio` times the speakers' part of a
    difference's error as large as the part of training.
    """
    spread = ratio * SPEAKERS**0.5
    arms = np.concatenate([np.zeros(1 + controls), effects])
    cells = (
        random.normal(0, 5, SPEAKERS)
        + (arms + random.normal(0, 1, len(arms)))[:, None]
        + random.normal(0, spread, (len(arms), SPEAKERS))
    )
    same = cells[: 1 + controls].mean(axis=1)
    noise = float((2 * same.var(ddof=1)) ** 0.5)
    found = []
    for arm in cells[1 + controls :]:
        apart = arm - cells[0]
        error = float(apart.std(ddof=1) / SPEAKERS**0.5)
        found.append(Evidence(float(apart.mean()), error, 11, noise, controls, SPEAKERS))
    return found


def verdicts(evidences: list[Evidence], margin: float) -> list[str]:
    adjusted = holm([each.p() for each in evidences])
    return [
        verdict(each.difference, 1, p, each.equivalence_p(margin), 1 - LEVEL)
        for each, p in zip(evidences, adjusted, strict=True)
    ]


def chance(rate: float, n: int) -> float:
    """Return three standard errors of a rate."""
    return 3 * (rate * (1 - rate) / n) ** 0.5


@pytest.mark.parametrize(("controls", "ratio"), [(3, 0.2), (3, 0.5), (5, 0.5)])
def test_nothing_is_worse_or_better_where_nothing_was_changed(controls: int, ratio: float) -> None:
    """In at most 5 % of studies is any of seven arms: the family's promise."""
    random = np.random.default_rng(controls)
    wrong = 0
    for _ in range(STUDIES):
        said = verdicts(simulated(random, np.zeros(7), controls, ratio), margin=math.nan)
        wrong += any(each in ("worse", "better") for each in said)
    assert wrong / STUDIES <= LEVEL + chance(LEVEL, STUDIES)


def test_without_the_noise_of_training_the_promise_would_not_hold() -> None:
    """The same studies, judged as if their checkpoints were all there is."""
    random = np.random.default_rng(3)
    wrong = 0
    for _ in range(200):
        studies = simulated(random, np.zeros(7), 3, 0.5)
        said = verdicts([replace(each, noise=math.nan) for each in studies], margin=math.nan)
        wrong += any(each in ("worse", "better") for each in said)
    assert wrong / 200 > 0.3


@pytest.mark.parametrize("controls", [3, 5])
def test_a_difference_as_large_as_the_margin_is_rarely_equivalent(controls: int) -> None:
    random = np.random.default_rng(controls)
    margin, claims = 4.0, []
    for _ in range(STUDIES):
        said = verdicts(simulated(random, np.array([margin]), controls, 0.5), margin)
        claims.append(said[0] == "equivalent")
    assert np.mean(claims) <= LEVEL + chance(LEVEL, STUDIES)


def test_what_is_large_is_found_and_what_is_nil_is_equivalent() -> None:
    random = np.random.default_rng(0)
    effects = np.array([-12.0, 12.0, 0.0, 0.0])
    said = [verdicts(simulated(random, effects, 5, 0.5), 8.0) for _ in range(200)]
    shares = pd.DataFrame(said).apply(lambda arm: arm.value_counts(normalize=True)).fillna(0)
    assert shares[0]["worse"] > 0.8
    assert shares[1]["better"] > 0.8
    assert shares[2]["equivalent"] > 0.8


def test_a_pooled_run_variance_keeps_the_family_and_finds_more() -> None:
    """Three seeds, 12 arms: each arm's own variance fails in the tail, the pooled one does not."""
    random = np.random.default_rng(9)
    arms, seeds, n = 12, 3, 400
    wrong = {"own": 0, "pooled": 0}
    power = {"own": 0, "pooled": 0}
    for _ in range(n):
        runs = random.normal(0, 1, (arms, seeds)) + random.normal(0, 2, seeds)
        cells = runs[..., None] + random.normal(0, 3, (arms, seeds, SPEAKERS))
        runs_pooled = interaction_variance(cells.mean(axis=-1))
        for effect, count in ((0.0, wrong), (-5.0, power)):
            p: dict[str, list[float]] = {"own": [], "pooled": []}
            for number in range(1, arms):
                apart = cells[number] - cells[0] + (effect if number == 1 else 0.0)
                speakers = apart.mean(axis=0).var(ddof=1) / SPEAKERS, SPEAKERS - 1
                own = apart.mean(axis=1).var(ddof=1) / seeds, seeds - 1
                pooled = runs_pooled.times(2 / seeds)
                for name, part in (("own", own), ("pooled", (pooled.variance, pooled.df))):
                    error, df = joint_error(speakers, part)
                    p[name].append(float(2 * stats.t.sf(abs(apart.mean()) / error, df)))
            for name, values in p.items():
                adjusted = holm(values)
                count[name] += adjusted[0] < LEVEL if effect else (adjusted < LEVEL).any()
    assert wrong["pooled"] / n <= LEVEL + chance(LEVEL, n)
    assert wrong["own"] > 2 * wrong["pooled"]
    assert power["pooled"] > 1.5 * power["own"]


def test_interaction_variance_is_that_of_a_two_way_table() -> None:
    cells = np.random.default_rng(0).normal(size=(5, 3))
    table = pd.DataFrame(cells)
    left = table.sub(table.mean(axis=1), axis=0).sub(table.mean(axis=0)) + cells.mean()
    expected = RunVariance(float((left**2).sum().sum()) / 8, 8)
    assert interaction_variance(cells) == RunVariance(pytest.approx(expected.variance), 8)
    # An effect of arms or of seeds is no noise.
    shifted = cells + np.arange(5)[:, None] * 7 + np.arange(3) * 11
    assert interaction_variance(shifted).variance == pytest.approx(expected.variance)


def test_roles_and_families(found: pd.DataFrame) -> None:
    assert set(found["role"]) == {"confirmatory", "control", "exploratory"}
    confirmatory = found[found["role"] == "confirmatory"]
    assert set(confirmatory["metric"]) == {"stoi"}
    assert set(confirmatory["point"]) == {"native"}
    assert set(found.loc[found["role"] == "control", "variant"]) == {
        "odd-no-symmetric",
        "odd-no-hybrid",
        "window-64",
    }
    for family, rows in found.groupby("family"):
        expected = holm(rows["p"])
        assert rows["p_adjusted"].tolist() == pytest.approx(expected.tolist()), family
        assert set(rows["family_size"]) == {len(rows)}
    assert set(found["family"]) == {"confirmatory", "exploratory", "control", "points", "factorial"}


def test_what_the_study_would_show_holds_after_correction(found: pd.DataFrame) -> None:
    """A difference as large as `detectable` passes the first step of Holm."""
    for row in found[found["effect"] == "difference"].itertuples():
        larger = abs(row.difference) >= row.detectable
        if larger:
            assert row.p * row.family_size < LEVEL


def test_the_interval_holds_speakers_and_noise(found: pd.DataFrame) -> None:
    """Oracle: by hand from the scores of one arm."""
    rows = fake_scores().query("metric == 'stoi'")
    speakers = rows.pivot_table("value", "variant", "speaker")
    apart = speakers.loc["window-32"] - speakers.loc["baseline"]
    same = speakers.loc[["baseline", "odd-no-symmetric", "odd-no-hybrid", "window-64"]].mean(axis=1)
    noise = (2 * same.var()) ** 0.5
    row = cell(found, "window-32", "stoi")
    assert row["noise"] == pytest.approx(noise)
    sampling = apart.std() / SPEAKERS**0.5
    error = math.hypot(sampling, noise)
    df = error**4 / (sampling**4 / 11 + noise**4 / 3)
    assert row["high"] - row["difference"] == pytest.approx(stats.t.ppf(0.975, df) * error)
    assert (row["scope"], row["n_seeds"]) == ("trainings", 1)


def test_effects_of_crossed_changes_are_findings(found: pd.DataFrame) -> None:
    effects = found[found["effect"] != "difference"]
    assert set(effects["variant"]) == {"even-no-symmetric", "even-no-hybrid", "interaction"}
    assert set(effects["point"]) == {"native", "1x46656"}
    assert set(effects["family"]) == {"factorial"}


NUMBER = r"[+-]?\d+(?:\.\d+)?"


def read(sentence: str) -> dict[str, str]:
    """Read a sentence back, as a person would."""
    pattern = (
        rf"changes by (?P<difference>{NUMBER}).*?interval (?P<low>{NUMBER}) to (?P<high>{NUMBER}),"
        rf" (?P<speakers>\d+) speakers"
    )
    matched = re.search(pattern, sentence)
    assert matched, sentence
    said = re.search(r"(?:\), |exploratory, )(worse|better|equivalent|undetermined)\b", sentence)
    assert said, sentence
    return matched.groupdict() | {"verdict": said.group(1)}


def test_every_sentence_says_what_its_row_says_and_no_more(found: pd.DataFrame) -> None:
    for row in found.itertuples():
        back = read(row.sentence)
        for name in ("difference", "low", "high"):
            assert float(back[name]) == pytest.approx(getattr(row, name), abs=6e-4), row.sentence
        assert int(back["speakers"]) == row.n_speakers
        assert back["verdict"] == row.verdict
        others = {"worse", "better", "equivalent", "undetermined"} - {row.verdict}
        assert not any(re.search(rf"\b{word}\b", row.sentence) for word in others)
        assert METRICS[row.metric].label in row.sentence
        assert ("exploratory" in row.sentence) == (row.role == "exploratory")
        assert ("these checkpoints" in row.sentence) == (row.scope == "checkpoints")
        if row.verdict == "equivalent":
            assert f"±{row.margin:g}" in row.sentence
        if row.verdict in ("worse", "better"):
            assert f"over {row.family_size} tests" in row.sentence
        times = re.search(rf"({NUMBER}) times the noise", row.sentence)
        if times:
            assert float(times.group(1)) == pytest.approx(
                abs(row.difference) / row.noise, abs=0.051
            )
        assert bool(times) == bool(row.beyond_noise)


def test_a_sentence_names_what_was_changed(found: pd.DataFrame) -> None:
    text = cell(found, "even-neither", "stoi")["sentence"]
    assert "bottleneck.rounding original instead of symmetric" in text
    assert "bottleneck.training ste instead of hybrid" in text
    assert cell(found, "window-64", "stoi")["sentence"].startswith("Control window-64 against")


def test_a_paragraph_gives_each_confirmatory_verdict(found: pd.DataFrame) -> None:
    texts = paragraphs(found, STUDY)
    assert list(texts) == list(STUDY.ablations)
    for name, text in texts.items():
        rows = found[(found["ablation"] == name) & (found["role"] == "confirmatory")]
        for row in rows.itertuples():
            assert f"{row.variant} {row.verdict} (" in text
    exploratory = found[
        (found["ablation"] == "window")
        & (found["role"] == "exploratory")
        & (found["effect"] == "difference")
    ]
    same = (exploratory["verdict"] == "equivalent").sum()
    assert f"Of {len(exploratory)} exploratory differences {same} are equivalent" in texts["window"]


def test_a_paragraph_says_who_had_to_move_away_from_the_trunk(found: pd.DataFrame) -> None:
    begun = {
        name: replace(variant, training=replace(variant.training, start="trunk"))
        for name, variant in STUDY.variants.items()
    }
    for rounding, moved, stayed in (
        ("symmetric", "even-no-symmetric, even-neither", "even, even-no-hybrid"),
        ("original", "even, even-no-hybrid", "even-no-symmetric, even-neither"),
    ):
        bottleneck = replace(STUDY.variants["even"].bottleneck, rounding=rounding)
        trunk = replace(STUDY.variants["even"], bottleneck=bottleneck)
        texts = paragraphs(found, replace(STUDY, variants=begun, trunk=trunk))
        assert f"{moved} had to move away from it, and {stayed} had not" in texts["fsq-even"]
        for name in ("fsq-odd", "window"):  # no arm had to, or all
            assert "move away" not in texts[name]
    assert "move away" not in paragraphs(found, STUDY)["fsq-even"]


def test_a_headline_gives_the_verdicts_by_the_labels_of_the_arms(found: pd.DataFrame) -> None:
    labelled = replace(STUDY, labels={"window-32": "a window of 32 keys"})
    texts = headlines(found, labelled)
    assert list(texts) == ["fsq-even", "window", "look-ahead"]  # of fsq-odd all are controls
    for name, text in texts.items():
        rows = found[(found["ablation"] == name) & (found["role"] == "confirmatory")]
        for row in rows.itertuples():
            label = labelled.labels.get(row.variant, row.variant)
            told = re.search(rf"{label} \(({NUMBER})", text)
            assert told
            assert float(told.group(1)) == pytest.approx(row.difference, abs=6e-5)
            before = text[: told.start()]
            said = re.findall(r"(worse|better|equivalent|undetermined)\b", before)
            assert said[-1] == row.verdict
    assert "window-32" not in texts["window"]
    away = found[(found["point"] != "native") & (found["metric"] == "stoi")]
    away = away[(away["ablation"] == "fsq-even") & (away["effect"] == "difference")]
    differ = away[away["verdict"].isin(["worse", "better"])]
    assert ("At 6@1 (exploratory)" in texts["fsq-even"]) == (len(differ) > 0)


def test_the_document_has_each_ablation(found: pd.DataFrame) -> None:
    text = markdown(found, STUDY)
    titles = [ablation.title for ablation in STUDY.ablations.values()]
    assert re.findall("^## (.*)$", text, flags=re.M) == titles
    for row in found[found["role"] == "confirmatory"].itertuples():
        assert f"- {row.sentence}\n" in text


def test_a_control_that_differs_is_told() -> None:
    scores = fake_scores()
    broken = scores["variant"].eq("window-64") & scores["metric"].eq("stoi")
    scores.loc[broken, "value"] -= 0.5
    none = pd.DataFrame(columns=["point", "same_as", "control"])
    table = findings(comparisons(scores, STUDY), none, factorial({}, STUDY), STUDY)
    row = cell(table, "window-64", "stoi")
    assert row["verdict"] == "worse"
    assert "though nothing was changed" in row["sentence"]
    assert "where nothing was changed, find a difference" in paragraphs(table, STUDY)["window"]


def test_three_seeds_have_the_noise_in_their_interval_once() -> None:
    seeded = controlled(seeds=[1, 2, 3])
    compared = comparisons(fake_scores(seeds=(1, 2, 3)), seeded)
    none = pd.DataFrame(columns=["point", "same_as", "control"])
    table = findings(compared, none, factorial({}, seeded), seeded)
    row, before = (
        cell(table, "window-32", "stoi"),
        compared.query("variant == 'window-32' and metric == 'stoi'").iloc[0],
    )
    assert (row["low"], row["high"]) == pytest.approx((before["low"], before["high"]))
    assert row["p"] == pytest.approx(before["p"])
    assert "12 speakers and 3 seeds" in row["sentence"]
    assert row["detectable"] > 0
    # Seeds help where training is what limits, and the needs follow from both parts.
    one = evidence(before.to_dict())
    assert one.error**2 + before["noise"] ** 2 == pytest.approx(
        ((before["high"] - before["low"]) / 2 / stats.t.ppf(0.975, before["df"])) ** 2
    )
    assert one.detectable(0.95, seeds=4.0) < one.detectable(0.95)


def test_three_seeds_of_two_arms_say_how_many_times_the_noise_an_effect_is() -> None:
    """Two degrees of freedom are few, and yet all that the interval is made of."""
    seeded = controlled(seeds=[1, 2, 3])
    window = seeded.ablations["window"]
    alone = replace(window, variants=["window-32"], controls=[])
    variants = {name: seeded.variants[name] for name in ("baseline", "window-32")}
    two = replace(seeded, ablations={"window": alone}, variants=variants)
    compared = comparisons(fake_scores(seeds=(1, 2, 3)), two)
    none = pd.DataFrame(columns=["point", "same_as", "control"])
    table = findings(compared, none, factorial({}, two), two)
    row = cell(table, "window-32", "stoi")
    assert row["noise_df"] == 2
    assert row["beyond_noise"] == (abs(row["difference"]) > 2 * row["noise"])
    assert ("inside twice" in row["sentence"]) != row["beyond_noise"]


def test_tables_without_any_test_give_an_empty_document(tmp_path: Path) -> None:
    alone = replace(STUDY, bitrates=replace(STUDY.bitrates, ablations=[]))
    write_csv(fake_scores(speakers=1), tmp_path / "tables" / "scores.csv")
    write_table("comparisons", alone, tmp_path)
    write_table("findings", alone, tmp_path)
    assert pd.read_csv(tmp_path / "tables" / "findings.csv").empty
    assert "No difference could be tested" in (tmp_path / "tables" / "findings.md").read_text()


def test_a_plan_follows_the_pilot() -> None:
    compared = comparisons(fake_scores(), STUDY)
    table = power_table(compared, STUDY, [12, 48], [1, 4])
    assert len(table) == 4 * 4
    stoi = table[table["metric"] == "stoi"].set_index(["speakers", "seeds"])
    assert stoi["noise"][48, 4] == pytest.approx(stoi["noise"][12, 1] / 2)
    assert stoi["sampling"][48, 1] == pytest.approx(stoi["sampling"][12, 1] / 2)
    # With one seed it is chance that limits; more speakers help with several.
    assert stoi["detectable"][48, 1] == pytest.approx(stoi["detectable"][12, 1], rel=0.01)
    assert stoi["detectable"][48, 1] > stoi["detectable"][12, 4] > stoi["detectable"][48, 4]
    assert stoi["enough"].tolist() == (stoi["detectable"] <= 0.05).tolist()
    assert not table.loc[table["metric"] == "si_sdr", "enough"].any()  # no margin


@pytest.mark.parametrize("seeds", [(1,), (1, 2), (1, 2, 3)])
def test_findings_and_comparisons_have_one_interval(seeds: tuple[int, ...]) -> None:
    """With the noise of training where it is known, and then so in figures too."""
    seeded = controlled(seeds=list(seeds))
    scores = fake_scores(seeds=seeds)
    native = comparisons(scores, seeded)
    key = ["ablation", "variant", "metric"]
    told = findings(native, native.iloc[:0].assign(point="", same_as=""), _no_effects(), seeded)
    both = native.merge(told, on=key, suffixes=("", "_told"))
    assert len(both) == len(told) > 0
    for name in ("low", "high", "p"):
        assert both[name].to_numpy() == pytest.approx(both[f"{name}_told"].to_numpy())
    over = both["scope"].str.startswith("over")
    assert over.equals(both["scope_told"] == "trainings")
    assert over.any()


def _no_effects() -> pd.DataFrame:
    return factorial({"native": fake_scores()}, STUDY).iloc[:0]
