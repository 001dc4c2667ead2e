"""A corpus preparation that is killed changes nothing, and the next one is whole."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from taae.corpus.prepare import prepare
from taae.corpus.store import Split
from taae.study.load import load_study
from taae.utils import files
from taae.utils.errors import TaaeError

FILES = 60
SECTIONS = ("model", "attention", "bottleneck", "training", "decoding", "metrics", "statistics")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder corpus in which every third file is bad, at two sampling rates."""
    root = tmp_path_factory.mktemp("killed")
    for number in range(FILES):
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


# One file a job, and time to kill between them.
SLOW = """
import sys, time
from taae.cli import main
from taae.corpus import recordings
from taae.corpus.writer import StoreWriter
recordings.BATCH_FILES = 1
add = StoreWriter.add
StoreWriter.add = lambda *given: (time.sleep(0.05), add(*given))
sys.exit(main(sys.argv[1:]))
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def whole(study: Path) -> dict[str, bytes]:
    output = study.parent / "whole"
    prepare(load_study([study]).corpus, output)
    return contents(output)


def earlier(study: Path, output: Path) -> dict[str, bytes]:
    """Prepare a corpus of another loudness."""
    prepare(load_study([study]).corpus | {"loudness": -30.0}, output)
    return contents(output)


def test_kills_at_random_moments(study: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    rng = random.Random(1)
    output = tmp_path / "out"
    before = earlier(study, output)
    command = [sys.executable, "-c", SLOW, "corpus", "--study", str(study), "--jobs", "2"]
    for _ in range(3):
        process = subprocess.Popen([*command, "--output", str(output)], start_new_session=True)
        while not list(output.glob(".train.csv.*/train.csv")):
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 1))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert contents(output) == before
    prepare(load_study([study]).corpus, output)
    assert contents(output) == whole
    assert {path.name for path in output.iterdir()} == set(whole)  # what was half is gone


def test_a_disk_that_is_full_at_the_end(
    study: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some files are in place then: nobody takes the mixture for a corpus."""
    output = tmp_path / "out"
    before = earlier(study, output)
    put_in_place = files._put_in_place

    def fail(temporary: Path, path: Path) -> None:
        if path.name == "validation.npy":
            raise OSError(errno.ENOSPC, "No space left on device")
        put_in_place(temporary, path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_put_in_place", fail)
        with pytest.raises(TaaeError, match=r"validation.npy: cannot write here \(No space left"):
            prepare(load_study([study]).corpus, output)
    placed = {"test.csv", "validation.csv", "train.csv", "test.npy"}
    del before["corpus.json"]
    assert contents(output) == before | {name: whole[name] for name in placed}
    with pytest.raises(TaaeError, match=r"corpus.json: no such file; rerun rule corpus"):
        Split.open(output, "test")
    prepare(load_study([study]).corpus, output)
    assert contents(output) == whole
