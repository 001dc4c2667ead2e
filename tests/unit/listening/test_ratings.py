"""Files of listeners: what is taken as scores, and what is refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from taae import cli
from taae.analysis.run_files import collect
from taae.listening.design import ListeningTest, Trial
from taae.listening.ratings import write_scores
from taae.study.study import Study
from taae.utils.errors import TaaeError
from tests.unit.listening.made import ARMS, STUDY, careful, listening_test, rating_file


@pytest.fixture(scope="module")
def folder(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tests")


@pytest.fixture(scope="module")
def mushra(folder: Path, results: Path) -> ListeningTest:
    return listening_test(folder / "mushra", results, "mushra")


@pytest.fixture(scope="module")
def ab(folder: Path, results: Path) -> ListeningTest:
    return listening_test(folder / "ab", results, "ab")


@pytest.fixture(scope="module")
def dcr(folder: Path, results: Path) -> ListeningTest:
    return listening_test(folder / "dcr", results, "dcr")


def error(path: Path | list[Path], *folders: Path) -> str:
    paths = path if isinstance(path, list) else [path]
    with pytest.raises(TaaeError) as raised:
        write_scores(paths, folders, paths[0].parent / "scores.csv")
    assert str(paths[-1]) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (paths[0].parent / "scores.csv").exists()
    return str(raised.value)


def edited(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


def test_mushra_ratings_become_scores_of_each_arm(
    mushra: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    files = [
        rating_file(tmp_path / f"{name}.json", mushra, name, careful) for name in ("007", "p2")
    ]
    write_scores(files, [folder / "mushra"], tmp_path / "scores.csv", tmp_path / "listeners.csv")
    table = collect([tmp_path / "scores.csv"])
    assert len(table) == 2 * 4 * (len(ARMS) + 3)
    assert set(table["listener"]) == {"007", "p2"}
    assert set(table["metric"]) == {"mushra"}
    found = table.groupby("variant")["value"].unique()
    added = {"anchor_3500": [30], "anchor_7000": [70], "hidden_reference": [100]}
    assert found.map(list).to_dict() == added | {arm: [50] for arm in ARMS}
    known = {trial.utterance: trial.speaker for trial in mushra.rated}
    assert dict(zip(table["utterance"], table["speaker"], strict=True)) == known
    own = table[table["variant"] == "window-32"]
    assert set(zip(own["run"], own["seed"], own["bitrate"], strict=True)) == {
        ("window-32/seed1", 1, 2400.0)
    }
    screened = pd.read_csv(tmp_path / "listeners.csv", dtype={"listener": str})
    assert screened["listener"].tolist() == ["007", "p2"]
    assert not screened["excluded"].any()


def test_a_listener_who_is_screened_out_has_no_scores(
    mushra: ListeningTest, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def careless(trial: Trial, arm: str) -> int:
        return 60

    files = [rating_file(tmp_path / f"{name}.json", mushra, name, careful) for name in ("p1", "p2")]
    files.append(rating_file(tmp_path / "p3.json", mushra, "p3", careless))
    write_scores(files, [folder / "mushra"], tmp_path / "scores.csv", tmp_path / "listeners.csv")
    assert set(pd.read_csv(tmp_path / "scores.csv")["listener"]) == {"p1", "p2"}
    screened = pd.read_csv(tmp_path / "listeners.csv").set_index("listener")
    assert screened.loc["p3", "excluded"]
    assert "p3 (hidden reference below 90 at 100% of the items)" in capsys.readouterr().err
    reason = r"excludes every listener: p3 \(hidden reference below 90 at 100%"
    with pytest.raises(TaaeError, match=reason):
        write_scores(files[2:], [folder / "mushra"], tmp_path / "none.csv", tmp_path / "who.csv")
    assert pd.read_csv(tmp_path / "who.csv")["excluded"].all()


def test_a_preference_is_signed_and_the_arm_compared_with_has_nought(
    ab: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    def prefers_window_32(trial: Trial, arm: str) -> int:
        wanted = "window-32" if "window-32" in trial.signals.values() else trial.against
        return int(arm == wanted)

    file = rating_file(tmp_path / "p1.json", ab, "p1", prefers_window_32)
    write_scores([file], [folder / "ab"], tmp_path / "scores.csv")
    table = collect([tmp_path / "scores.csv"])
    assert table.groupby("variant")["value"].unique().map(list).to_dict() == {
        "baseline": [0], "window-32": [1], "window-64": [-1]
    }  # fmt: skip
    assert len(table) == 4 * 3


def test_a_degradation_is_rated_from_1_to_5(
    dcr: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    file = rating_file(
        tmp_path / "p1.json", dcr, "p1", lambda trial, arm: 5 if arm[0] == "h" else 2
    )
    write_scores([file], [folder / "dcr"], tmp_path / "scores.csv")
    table = collect([tmp_path / "scores.csv"])
    assert table.groupby("variant")["value"].mean().to_dict() == {
        **dict.fromkeys(ARMS, 2),
        "hidden_reference": 5,
    }
    bad = rating_file(tmp_path / "p2" / "p2.json", dcr, "p2", lambda trial, arm: 6)
    assert "6 is no whole number from 1 to 5" in error(bad, folder / "dcr")


def test_tests_of_two_designs_are_read_together(
    mushra: ListeningTest, ab: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    files = [
        rating_file(tmp_path / "a.json", mushra, "p1", careful),
        rating_file(tmp_path / "b.json", ab, "p1", lambda trial, arm: int(arm == "baseline")),
    ]
    write_scores(
        files, [folder / "mushra", folder / "ab"], tmp_path / "scores.csv", tmp_path / "l.csv"
    )
    assert set(collect([tmp_path / "scores.csv"])["metric"]) == {"mushra", "preference"}
    assert pd.read_csv(tmp_path / "l.csv")["items"].tolist() == [4, 8]


def test_one_arm_rated_in_two_tests_by_one_listener_is_refused(
    mushra: ListeningTest, folder: Path, results: Path, tmp_path: Path
) -> None:
    other = listening_test(tmp_path / "other", results, "mushra", seed=3, n_utterances=5)
    files = [
        rating_file(tmp_path / f"{n}.json", t, "p1", careful) for n, t in enumerate((mushra, other))
    ]
    with pytest.raises(TaaeError, match=r"p1 has rated .+ in two tests"):
        write_scores(files, [folder / "mushra", tmp_path / "other"], tmp_path / "scores.csv")


def test_preferences_to_two_arms_are_refused(
    ab: ListeningTest, folder: Path, results: Path, tmp_path: Path
) -> None:
    swapped = {"baseline": "window-32", "window-32": "baseline"}
    other = listening_test(tmp_path / "other", results, "ab", swapped)
    files = [
        rating_file(
            tmp_path / f"{n}.json", test, "p1", lambda trial, arm: int(arm != trial.against)
        )
        for n, test in enumerate((ab, other))
    ]
    for order in (1, -1):
        with pytest.raises(TaaeError, match="are against baseline and window-32"):
            write_scores(
                files[::order], [folder / "ab", tmp_path / "other"][::order], tmp_path / "s.csv"
            )


def test_listeners_of_other_speakers_are_refused(
    mushra: ListeningTest, folder: Path, results: Path, tmp_path: Path
) -> None:
    other = listening_test(tmp_path / "other", results, "mushra", seed=2)
    speakers = [{trial.speaker for trial in test.rated} for test in (mushra, other)]
    assert speakers[0] != speakers[1]
    panels = {"p1": [mushra], "p2": [other], "p3": [mushra, other]}
    files = {
        name: [
            rating_file(tmp_path / f"{name}-{number}.json", test, name, careful)
            for number, test in enumerate(tests)
        ]
        for name, tests in panels.items()
    }
    folders = [folder / "mushra", tmp_path / "other"]
    with pytest.raises(TaaeError, match="mushra of baseline: listeners rated different speakers"):
        write_scores(files["p1"] + files["p2"], folders, tmp_path / "scores.csv")
    write_scores(files["p1"], folders, tmp_path / "scores.csv")


@pytest.mark.parametrize(
    ("old", "new"),
    [('"listener": "p1"', '"listener": "p2"'), ("50", "51"), ('"seconds": 9', '"seconds": 8')],
)
def test_a_changed_file_is_refused(
    old: str, new: str, mushra: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    path = edited(rating_file(tmp_path / "p1.json", mushra, "p1", careful), old, new)
    assert "was changed after the test wrote it" in error(path, folder / "mushra")


def test_a_half_finished_file_is_refused(
    mushra: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    path = rating_file(tmp_path / "p1.json", mushra, "p1", careful)
    trials = json.loads(path.read_text())["trials"]
    rating_file(path, mushra, "p1", careful, trials=trials[:3])
    assert "is half-finished: 3 of 4 trials" in error(path, folder / "mushra")
    trials[1]["ratings"].popitem()
    rating_file(path, mushra, "p1", careful, trials=trials)
    assert "is half-finished: 5 of 6 ratings" in error(path, folder / "mushra")


def test_a_file_of_another_test_is_refused(
    mushra: ListeningTest, ab: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    path = rating_file(tmp_path / "p1.json", mushra, "p1", careful)
    assert f"is of test {mushra.name}, not of {ab.name}" in error(path, folder / "ab")


def test_two_files_of_one_listener_are_refused(
    mushra: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    files = [rating_file(tmp_path / f"{name}.json", mushra, "p1", careful) for name in "ab"]
    assert f"listener p1 has rated this test in {files[0]} too" in error(files, folder / "mushra")


def test_signals_in_another_order_than_the_listeners_page_are_refused(
    mushra: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    path = rating_file(tmp_path / "p1.json", mushra, "p1", careful)
    trials = json.loads(path.read_text())["trials"]
    trials[0]["signals"].reverse()
    rating_file(path, mushra, "p1", careful, trials=trials)
    assert "its signals are not those of p1's page" in error(path, folder / "mushra")


def test_a_trial_given_twice_is_refused(
    mushra: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    path = rating_file(tmp_path / "p1.json", mushra, "p1", careful)
    trials = json.loads(path.read_text())["trials"]
    rating_file(path, mushra, "p1", careful, trials=[*trials, trials[0]])
    assert "has a trial twice" in error(path, folder / "mushra")


def test_a_name_that_is_no_text_is_refused(
    mushra: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    path = rating_file(tmp_path / "p1.json", mushra, "p1", careful)
    edited(path, '"listener": "p1"', '"listener": 7')
    assert "test or listener is no text" in error(path, folder / "mushra")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"checksum": "0"}', "null", "\x00", "[" * 100_000]
)
def test_what_is_no_rating_file_is_refused(
    text: str, mushra: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "p1.json"
    path.write_text(text)
    assert "is no rating file" in error(path, folder / "mushra")


def test_both_or_none_of_a_pair_preferred_is_refused(
    ab: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    path = rating_file(tmp_path / "p1.json", ab, "p1", lambda trial, arm: 1)
    assert "not one of the two signals is preferred" in error(path, folder / "ab")


def test_the_command_says_what_is_wrong_in_one_line(
    mushra: ListeningTest, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = edited(rating_file(tmp_path / "p1.json", mushra, "p1", careful), "50", "99")
    words = [
        "ratings",
        str(path),
        "--test",
        str(folder / "mushra"),
        "--output",
        str(tmp_path / "s.csv"),
    ]
    assert cli.main(words) == 1
    assert capsys.readouterr().err.startswith(f"error: {path}: was changed")


def test_a_test_of_another_study_is_refused(
    mushra: ListeningTest, folder: Path, tmp_path: Path
) -> None:
    path = rating_file(tmp_path / "p1.json", mushra, "p1", careful)

    def write(study: Study) -> None:
        write_scores([path], [folder / "mushra"], tmp_path / "scores.csv", study=study)

    write(replace(STUDY, metrics=replace(STUDY.metrics, names=["stoi"])))
    without = {name: variant for name, variant in STUDY.variants.items() if name != "window-64"}
    with pytest.raises(TaaeError, match="another study: there is no arm 'window-64'"):
        write(replace(STUDY, variants=without))
    longer = replace(STUDY.variants["baseline"].training, steps=7)
    other = replace(STUDY.variants["baseline"], training=longer)
    for changed in (
        replace(STUDY, variants={**STUDY.variants, "baseline": other}),
        replace(STUDY, corpus={**STUDY.corpus, "seed": 9}),
    ):
        with pytest.raises(TaaeError, match="were changed since"):
            write(changed)
