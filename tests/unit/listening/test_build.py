"""The folder that listeners get: whole, blind, equally loud; the key; arms and utterances."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
import yaml

from taae import cli
from taae.listening import build
from taae.listening.build import choose_arms
from taae.listening.design import (
    DESIGNS,
    HIDDEN,
    DesignName,
    check_study,
    contents,
    plan,
    read_key,
)
from taae.study.overlay import merge, read_yaml
from taae.utils.errors import TaaeError
from taae.utils.files import write_json
from tests.offline import network
from tests.unit.analysis.fake_scores import ARMS as OVERLAY
from tests.unit.analysis.fake_scores import DEMO
from tests.unit.listening.made import ARMS, RATE, STUDY, listening_test

NAMES: list[DesignName] = ["mushra", "ab", "dcr"]


def manifest(folder: Path) -> dict:
    page = (folder / "send" / "index.html").read_text()
    return json.loads(re.search(r'<script id="test"[^>]*>(.*?)</script>', page, re.S)[1])


def sent(folder: Path, hidden: str) -> dict[str, bytes]:
    """The content of all that is sent, by name, with the name of the test hidden."""
    files = (folder / "send").rglob("*.*")
    return {
        str(path.relative_to(folder)): path.read_bytes().replace(hidden.encode(), b"")
        for path in files
    }


@pytest.mark.parametrize("design", NAMES)
def test_other_names_of_the_arms_change_no_byte_that_is_sent(
    design: DesignName, results: Path, tmp_path: Path
) -> None:
    other = {"baseline": "even", "window-32": "even-neither", "window-64": "window-256"}
    one = listening_test(tmp_path / "one", results, design)
    two = listening_test(tmp_path / "two", results, design, other)
    assert one.name != two.name
    found = sent(tmp_path / "one", one.name)
    assert found == sent(tmp_path / "two", two.name)
    assert {"send/index.html", "send/listen.js", "send/player.js", "send/page.css"} < found.keys()


@pytest.mark.parametrize("design", NAMES)
def test_nothing_that_is_sent_names_an_arm_an_utterance_or_a_speaker(
    design: DesignName, results: Path, tmp_path: Path
) -> None:
    test = listening_test(tmp_path / "test", results, design)
    told = json.dumps(manifest(tmp_path / "test")) + " ".join(sent(tmp_path / "test", ""))
    secrets = {
        *ARMS,
        HIDDEN,
        "anchor",
        *(t.utterance for t in test.trials),
        *(t.speaker for t in test.trials),
    }
    assert not [secret for secret in secrets if secret in told]


@pytest.mark.parametrize("design", NAMES)
def test_the_page_has_every_file_and_no_other(
    design: DesignName, results: Path, tmp_path: Path
) -> None:
    test = listening_test(tmp_path / "test", results, design)
    told = manifest(tmp_path / "test")
    names = {told["volume"]}
    for trial in told["trials"]:
        names |= {*trial["signals"], *filter(None, [trial["reference"]])}
    audio = tmp_path / "test" / "send" / "audio"
    assert {path.stem for path in audio.iterdir()} == names == set(test.files)
    assert told["test"] == test.name == read_key(tmp_path / "test").name
    assert sum(trial["training"] for trial in told["trials"]) == 1


def test_a_mushra_trial_has_hidden_reference_and_anchors_at_one_loudness(
    results: Path, tmp_path: Path
) -> None:
    test = listening_test(tmp_path / "test", results, "mushra")
    meter = pyloudnorm.Meter(RATE)
    for trial in test.trials:
        assert sorted(trial.signals.values()) == sorted([*ARMS, *DESIGNS["mushra"].added])
        audio = {
            arm: soundfile.read(tmp_path / "test" / "send" / "audio" / f"{name}.wav")[0]
            for name, arm in [*trial.signals.items(), (trial.reference, "open")]
        }
        np.testing.assert_array_equal(audio["open"], audio[HIDDEN])
        loudness = [meter.integrated_loudness(each) for each in audio.values()]
        assert np.ptp(loudness) < 0.1
        bands = {
            arm: np.abs(np.fft.rfft(each * np.hanning(each.size))) for arm, each in audio.items()
        }
        assert bands["anchor_3500"][4200:].max() < 0.01 * bands["open"][4200:].max()
        assert bands["anchor_7000"][7600:].max() < 0.01 * bands["open"][7600:].max()
        assert bands["anchor_7000"][4200:6900].max() > 0.5 * bands["open"][4200:6900].max()


@pytest.mark.parametrize("design", NAMES)
def test_the_page_asks_the_network_for_nothing(
    design: DesignName, results: Path, tmp_path: Path
) -> None:
    listening_test(tmp_path / "test", results, design)
    assert network(tmp_path / "test" / "send") == {}


def test_utterances_come_from_as_many_speakers_as_there_are(results: Path, tmp_path: Path) -> None:
    test = listening_test(tmp_path / "test", results, "mushra", n_utterances=5)
    assert len({trial.speaker for trial in test.trials}) == 6
    other = listening_test(tmp_path / "other", results, "mushra", n_utterances=5, seed=2)
    assert [t.utterance for t in test.trials] != [t.utterance for t in other.trials]


def test_the_same_seed_and_salt_make_the_same_test(results: Path, tmp_path: Path) -> None:
    one = listening_test(tmp_path / "one", results, "dcr")
    assert one == listening_test(tmp_path / "two", results, "dcr")
    other = listening_test(tmp_path / "three", results, "dcr", salt="another")
    assert [t.utterance for t in one.trials] == [t.utterance for t in other.trials]
    assert set(one.files).isdisjoint(other.files)


@pytest.mark.parametrize("there", ["key.json", "send/a letter"])
def test_nothing_is_replaced(there: str, results: Path, tmp_path: Path) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("mine")
    with pytest.raises(TaaeError, match="there is a test already"):
        listening_test(tmp_path, results, "dcr")
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize("design", NAMES)
def test_neither_times_nor_the_order_of_writing_tell_arms_apart(
    design: DesignName, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = build._write_wav

    def watched(path: Path, samples: np.ndarray) -> str:
        written.append(path.stem)
        return write(path, samples)

    monkeypatch.setattr(build, "_write_wav", watched)
    test = listening_test(tmp_path / "test", results, design)
    assert len({path.stat().st_mtime for path in (tmp_path / "test" / "send").rglob("*")}) == 1
    trials = sorted(test.trials, key=lambda trial: trial.trial)
    groups = [{*trial.signals, *filter(None, [trial.reference])} for trial in trials]
    assert [name for name in written if name != test.volume] == [
        name for group in groups for name in sorted(group)
    ]


def test_a_pair_of_an_ab_test_is_an_arm_and_the_first_one(results: Path, tmp_path: Path) -> None:
    test = listening_test(tmp_path / "test", results, "ab")
    assert len(test.rated) == 4 * 2
    for trial in test.rated:
        assert trial.against == "baseline"
        assert len(trial.signals) == 2
        assert "baseline" in trial.signals.values()
        assert not trial.reference


def test_twelve_signals_are_the_most_of_a_mushra_trial() -> None:
    assert len(contents("mushra", list("abcdefghi"))[0][0]) == 12
    with pytest.raises(TaaeError, match="10 arms are too many for a trial"):
        contents("mushra", list("abcdefghij"))


def test_too_many_trials_and_too_few_utterances_are_refused(results: Path, tmp_path: Path) -> None:
    with pytest.raises(TaaeError, match="12 and one for training are wanted"):
        listening_test(tmp_path / "test", results, "mushra", n_utterances=12)
    with pytest.raises(TaaeError, match="120 trials are too many for a listener"):
        plan("dcr", list("abcdefghi"), {f"u{number}": "s" for number in range(13)}, "")


def test_arms_are_of_an_ablation_or_named_or_all_but_controls(results: Path) -> None:
    def chosen(design: DesignName, ablation: str | None, *names: str) -> list[str]:
        return list(choose_arms(study, results, design, ablation, names))

    study = STUDY
    window = study.ablations["window"].arms
    assert chosen("mushra", "window") == window
    assert chosen("mushra", "window", "even") == [*window, "even"]
    assert chosen("mushra", None, "even", "baseline") == ["even", "baseline"]
    controls = ["window-256", *study.ablations["fsq-odd"].controls]
    control = replace(study.ablations["window"], controls=["window-256"])
    study = replace(study, ablations={**study.ablations, "window": control})
    assert chosen("mushra", None) == [name for name in study.variants if name not in controls]
    for arguments, message in (
        (("mushra", "nothing"), "no ablation 'nothing'"),
        (("mushra", None, "nothing"), "no arm 'nothing'"),
        (("ab", None), "give --ablation or --arms"),
    ):
        with pytest.raises(TaaeError, match=message):
            chosen(*arguments)


def test_webmushra_gets_the_same_files_and_adds_its_own_hidden_reference(
    results: Path, tmp_path: Path
) -> None:
    test = listening_test(tmp_path / "test", results, "mushra")
    config = yaml.safe_load((tmp_path / "test" / "webmushra.yaml").read_text())
    volume, training, shuffled, finish = config["pages"]
    assert [volume["type"], training["type"], shuffled[0], finish["type"]] == [
        "volume",
        "mushra",
        "random",
        "finish",
    ]
    by_id = {trial.trial: trial for trial in test.rated}
    assert {page["id"] for page in shuffled[1:]} == by_id.keys()
    for page in shuffled[1:]:
        trial = by_id[page["id"]]
        tested = {name for name, arm in trial.signals.items() if arm != HIDDEN}
        assert page["stimuli"].keys() == tested
        paths = [page["reference"], *page["stimuli"].values()]
        assert all(path.startswith(f"configs/{test.name}/audio/") for path in paths)
        assert {Path(path).stem for path in paths} == tested | {trial.reference}
    assert not (
        listening_test(tmp_path / "ab", results, "ab")
        and (tmp_path / "ab" / "webmushra.yaml").exists()
    )


def test_a_changed_or_missing_key_is_refused(results: Path, tmp_path: Path) -> None:
    listening_test(tmp_path / "test", results, "ab")
    path = tmp_path / "test" / "key.json"
    text = path.read_text()
    for old, new, message in (
        ('"baseline"', '"other"', "was changed since"),
        ("taae-listening-test/1", "taae-listening-test/0", "of the format"),
        ('"design"', '"sign"', "no key of a listening test"),
        ("{", "", "no key of a listening test"),
    ):
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(TaaeError, match=message):
            read_key(tmp_path / "test")
    with pytest.raises(TaaeError, match="no such file"):
        read_key(tmp_path)


def test_the_study_is_by_itself_the_one_of_the_results(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "results"
    shutil.copytree(results, place)
    config = merge(read_yaml(DEMO) | {"variants": {}, "ablations": {}}, read_yaml(OVERLAY))
    changed = merge(config, {"training": {"steps": 7}})
    write_json(config, place / "study.json")
    write_json(changed, tmp_path / "changed.json")

    def listen(*options: str) -> int:
        words = ["listen", "--design", "mushra", "--arms", *ARMS, "--utterances", "2"]
        return cli.main([*words, "--results", str(place), *options])

    assert listen("--output", str(tmp_path / "test")) == 0
    check_study(read_key(tmp_path / "test"), STUDY)
    study = str(tmp_path / "changed.json")
    assert listen("--output", str(tmp_path / "other"), "--study", study) == 1
    assert "has other settings of these arms" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
