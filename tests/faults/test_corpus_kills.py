"""A corpus preparation that is killed goes on where it was, and ends with the same bytes."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from taae.corpus import prepare as prepare_module
from taae.corpus import recordings
from taae.corpus.journal import Journal
from taae.corpus.prepare import prepare
from taae.study.load import load_study
from taae.utils import files
from taae.utils.errors import TaaeError

JOBS = 30
KILLS = 4
SECTIONS = ("model", "attention", "bottleneck", "training", "decoding", "metrics", "statistics")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder corpus in which every third file is bad, at three sampling rates."""
    root = tmp_path_factory.mktemp("killed")
    for number in range(JOBS * 2):
        folder = root / "in" / f"speaker{number % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number:03d}.wav"
        if number % 3 == 2:
            path.write_bytes(b"no audio")
        else:
            noise = 0.1 * np.random.default_rng(number).normal(size=16_000)
            soundfile.write(path, noise, (8_000, 16_000)[number % 2])
    few = {"validation_speakers": 1, "test_speakers": 1}
    corpus = {"kind": "folder", "folder": {"path": str(root / "in"), **few}, "max_rejected": 0.5}
    config: dict[str, object] = {name: {} for name in SECTIONS}
    (root / "study.yaml").write_text(yaml.safe_dump(config | {"corpus": corpus}))
    return root / "study.yaml"


# Small jobs, so that there are many, a commit after each, and time to kill between them.
SLOW = """
import sys, time
from taae.cli import main
from taae.corpus import prepare, recordings
recordings.BATCH_FILES = 2
add = prepare.Writer.add
prepare.Writer.add = lambda *given: (time.sleep(0.05), add(*given))
sys.exit(main(sys.argv[1:]))
"""


def start(study: Path, output: Path, state: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SLOW, "corpus", "--study", str(study), "--jobs", "2"]
    command += ["--output", str(output), "--state", str(state), "--checkpoint-every", "0"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(study: Path) -> dict[str, bytes]:
    output = study.parent / "whole"
    prepare(load_study([study]).corpus, output)
    return contents(output)


def noted(state: Path) -> int:
    """Return the number of jobs that the state holds."""
    for path in state.glob("*/note.json"):
        return int(json.loads(path.read_text())["note"]["jobs"])
    return 0


def test_kills_at_random_moments(study: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    """Each kill comes after a few more jobs; what was noted is never done again."""
    rng = random.Random(1)
    output, state = tmp_path / "out", tmp_path / "state"
    done = 0
    for _ in range(KILLS):
        goal = done + rng.randint(1, 3)
        process = start(study, output, state)
        while noted(state) < goal:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(rng.uniform(0, 0.01))
        os.killpg(process.pid, signal.SIGKILL)
        said = process.communicate()[1]
        if done:
            assert f"going on after {done} of {JOBS} jobs" in said
        done = noted(state)
        assert goal <= done < JOBS
        assert list(output.iterdir()) == []
    process = start(study, output, state)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    found = re.search(r"going on after (\d+) of", said)
    assert found
    assert int(found[1]) == done
    assert contents(output) == whole
    assert [path.name for path in state.iterdir()] == ["lock"]


def interrupted(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leave the state of a preparation that broke off after its tenth job."""
    monkeypatch.setattr(recordings, "BATCH_FILES", 2)
    real = prepare_module.Writer.add

    def add(self: prepare_module.Writer, outcomes: list[object]) -> None:
        if self.jobs == 10:
            raise KeyboardInterrupt
        real(self, outcomes)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(prepare_module.Writer, "add", add)
        with pytest.raises(KeyboardInterrupt):
            run(study, tmp_path)
    assert noted(tmp_path / "state") == 10
    return next((tmp_path / "state").glob("*/note.json")).parent


def run(study: Path, tmp_path: Path, **settings: object) -> dict[str, bytes]:
    corpus = load_study([study]).corpus | settings
    prepare(corpus, tmp_path / "out", state=tmp_path / "state", checkpoint_every=0.0)
    return contents(tmp_path / "out")


@pytest.mark.parametrize("damage", ["none", "note", "short", "missing", "longer"])
def test_a_damaged_state_is_not_trusted(
    study: Path,
    whole: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    damage: str,
) -> None:
    folder = interrupted(study, tmp_path, monkeypatch)
    if damage == "note":
        (folder / "note.json").write_text('{"sizes": {')
    elif damage == "short":
        os.truncate(folder / "train.npy", 1000)
    elif damage == "missing":
        (folder / "test.csv").unlink()
    elif damage == "longer":  # what was written after the note
        with (folder / "train.npy").open("ab") as file:
            file.write(b"half an utterance")
    assert run(study, tmp_path) == whole
    goes_on = "going on after 10 of 30 jobs" in capsys.readouterr().err
    assert goes_on == (damage in ("none", "longer"))


@pytest.mark.parametrize("change", ["settings", "file", "code"])
def test_the_state_of_another_corpus_is_not_gone_on_with(
    study: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: str,
) -> None:
    folder = interrupted(study, tmp_path, monkeypatch)
    settings: dict[str, object] = {}
    if change == "settings":
        settings = {"loudness": -25.0}
    elif change == "file":
        os.utime(study.parent / "in/speaker0/000.wav", (1, 1))
    else:
        other = tmp_path / "edited.py"
        other.write_text("# edited\n")
        monkeypatch.setattr(prepare_module, "sources", lambda _: [other])
    run(study, tmp_path, **settings)
    assert "going on" not in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("damage", [False, True])
def test_a_disk_that_is_full_at_the_end_costs_no_work(
    study: Path,
    whole: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    links: bool,
    damage: bool,
) -> None:
    """Some files are in place then; a state damaged after that takes none of them with it."""
    monkeypatch.setattr(recordings, "BATCH_FILES", 2)
    put_in_place = files._put_in_place

    def fail(temporary: Path, path: Path) -> None:
        if path.name == "validation.npy":
            raise OSError(errno.ENOSPC, "No space left on device")
        put_in_place(temporary, path)

    def no_link(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    if not links:
        monkeypatch.setattr(os, "link", no_link)
    with monkeypatch.context() as patch:
        patch.setattr(files, "_put_in_place", fail)
        with pytest.raises(TaaeError, match="No space left"):
            run(study, tmp_path)
    assert noted(tmp_path / "state") == JOBS
    placed = contents(tmp_path / "out")
    names = ("rejected.csv", "test.csv", "test.npy", "validation.csv")
    assert placed == {name: whole[name] for name in names}
    if damage:
        next((tmp_path / "state").glob("*/note.json")).unlink()
        with monkeypatch.context() as patch:
            patch.setattr(prepare_module.Writer, "add", interrupt)
            with pytest.raises(KeyboardInterrupt):
                run(study, tmp_path)
        assert contents(tmp_path / "out") == placed
    assert run(study, tmp_path) == whole
    assert (f"going on after {JOBS} of {JOBS} jobs" in capsys.readouterr().err) != damage


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_else_is_in_the_state_folder_is_left_alone(study: Path, tmp_path: Path) -> None:
    """A person may give any folder."""
    for name in ("notes.txt", "fedcba9876543210", "other/x", "0123456789abcdef/old"):
        (tmp_path / "state" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "state" / name).touch()
    run(study, tmp_path)
    left = {str(path.relative_to(tmp_path / "state")) for path in (tmp_path / "state").rglob("*")}
    assert left == {"lock", "notes.txt", "fedcba9876543210", "other", "other/x"}


def test_a_journal_cuts_off_what_was_not_committed(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", ["a", "b"]) as journal:
        assert journal.note is None
        journal.files["a"].write(b"one")
        journal.commit({"n": 1})
        journal.files["a"].write(b"two")
        journal.files["b"].write(b"three")
    with Journal(tmp_path / "j", ["a", "b"]) as journal:
        assert journal.note == {"n": 1}
        journal.files["a"].write(b"!")
        journal.commit({"n": 2})
    assert (tmp_path / "j/a").read_bytes() == b"one!"
    assert (tmp_path / "j/b").read_bytes() == b""
    with Journal(tmp_path / "j", ["a", "b", "c"]) as journal:  # not the files of the note
        assert journal.note is None
    assert (tmp_path / "j/a").read_bytes() == b""
