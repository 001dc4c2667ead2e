"""A disk that fills up or is read-only: one line that names the file, and nothing damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from taae import cli
from taae.training import checkpoint
from tests.faults.conftest import SPLITS, Disk, Forker, Study
from tests.faults.test_kills import assert_same_training
from tests.unit.analysis.fake_scores import fake_scores
from tests.unit.evaluation.speechlike import RATE, speech

FULL = "cannot write here (No space left on device)"


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, hidden ones too, but for charts and what fills the disk."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "ballast" and path.parent.name != "tensorboard"
    }


def failure(capsys: pytest.CaptureFixture[str], words: list[str | Path]) -> str:
    """Run a command that must fail; return its one line of error."""
    capsys.readouterr()
    assert cli.main([str(word) for word in words]) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    return errors[0]


def fails_and_then_succeeds(
    words: list[str | Path], output: Path, disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run a command on a full disk, which must change nothing, and again with space."""
    before = contents(disk.folder)
    message = failure(capsys, words)
    assert message.startswith(f"error: {output}")
    assert "No space left on device" in message
    assert contents(disk.folder) == before
    disk.free()
    assert cli.main([str(word) for word in words]) == 0
    after = contents(disk.folder)
    assert set(before) <= set(after)
    assert after != before


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """A table of scores whose comparison is larger than 4 kB."""
    fake_scores(speakers=3, utterances=1).to_csv(tmp_path / "scores.csv", index=False)
    return tmp_path / "scores.csv"


def test_full_while_the_corpus_is_written(
    study: Study, disk: Disk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The corpus of another study is there already, and stays."""
    settings = yaml.safe_load(study.config.read_text())
    larger = tmp_path / "audio"
    larger.mkdir()
    for number, split in enumerate(SPLITS):
        soundfile.write(larger / f"{split}.wav", speech(20.0, seed=number), RATE)
    settings["corpus"]["folder"]["path"] = str(larger)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(settings))
    output = disk.folder / "corpus"
    shutil.copytree(study.corpus, output)
    disk.fill(left=1_000_000)
    words: list[str | Path] = ["corpus", "--study", tmp_path / "study.yaml", "--output", output]
    fails_and_then_succeeds(words, output, disk, capsys)
    assert len(np.load(output / "train.npy")) == 20 * RATE


def test_full_while_a_state_is_written(
    study: Study, trained: Path, disk: Disk, forker: Forker, tmp_path: Path
) -> None:
    state = disk.folder / "state"
    words = study.train(tmp_path / "model", state)
    assert forker.run([*words, "--time-budget", "0"]) == cli.RESUMABLE
    disk.fill(left=50_000)
    before = contents(disk.folder)
    assert forker.run([*words, "--time-budget", "0"]) == 1
    line = forker.log.read_text().splitlines()[-1]
    assert line.startswith(f"error: {state}/")
    assert line.endswith(FULL)
    assert contents(disk.folder) == before
    assert not (tmp_path / "model").exists()
    disk.free()
    assert forker.run(words) == 0
    assert "resuming at step 1 " in forker.log.read_text()
    assert_same_training(tmp_path / "model", trained)


def test_full_while_a_model_is_written(
    study: Study, trained: Path, disk: Disk, forker: Forker, tmp_path: Path
) -> None:
    """What was there is replaced file by file; a later run does it all again."""
    output = disk.folder / "model"
    words = study.train(output, tmp_path / "state", "--checkpoint-every", "1")
    disk.fill(left=20_000)
    assert forker.run(words) == 1
    line = forker.log.read_text().splitlines()[-1]
    assert line.startswith(f"error: {output}/model.safetensors: cannot write here (")
    assert "No space left on device" in line
    assert contents(disk.folder) == {}
    disk.free()
    assert forker.run(words) == 0
    assert_same_training(output, trained)


@pytest.mark.parametrize("left", [0, 4096])
def test_full_while_a_table_is_written(
    left: int, scores: Path, disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    output = disk.folder / "comparisons.csv"
    output.write_text("older\n")
    disk.fill(left=left)
    words: list[str | Path] = ["compare", "--scores", scores, "--baseline", "baseline"]
    fails_and_then_succeeds([*words, "--output", output], output, disk, capsys)


def test_full_while_audio_is_decoded(
    study: Study, trained: Path, disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    output = disk.folder / "decoded"
    (output / "audio").mkdir(parents=True)
    (output / "audio" / "older.flac").write_text("older")
    disk.fill(left=50_000)
    words: list[str | Path] = ["decode", "--corpus", study.corpus, "--model", trained]
    words += ["--output", output, "--study", study.config]
    before = contents(disk.folder)
    assert failure(capsys, words) == f"error: {output}/audio: {FULL}"
    assert contents(disk.folder) == before
    disk.free()
    assert cli.main([str(word) for word in words]) == 0
    assert sorted(contents(output)) == ["audio/test.flac", "codes.npz", "utterances.csv"]


def test_full_while_a_figure_is_drawn(
    trained: Path, study: Study, disk: Disk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = pd.read_csv(trained / "history.csv")
    history.insert(0, "variant", "baseline")
    history.insert(1, "seed", 1)
    (disk.folder / "tables").mkdir()
    history.to_csv(disk.folder / "tables" / "training.csv", index=False)
    output = disk.folder / "figures" / "training"
    disk.fill(left=8192)
    words: list[str | Path] = ["plot", "training", "--study", study.config]
    fails_and_then_succeeds([*words, "--results", disk.folder], output, disk, capsys)


def test_an_output_folder_that_is_read_only(
    study: Study,
    trained: Path,
    scores: Path,
    disk: Disk,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = disk.folder / "results"
    out.mkdir()
    disk.freeze()
    some: list[str | Path] = ["--study", study.config, "--corpus", study.corpus]
    commands: dict[str, list[str | Path]] = {
        "": ["corpus", "--study", study.config, "--output", out],
        "audio": ["decode", *some, "--model", trained, "--output", out],
        "c.csv": [
            "compare",
            "--scores",
            scores,
            "--baseline",
            "baseline",
            "--output",
            out / "c.csv",
        ],
        "state": [*study.train(tmp_path / "model", out / "state", "--time-budget", "0")],
        "model": [*study.train(out / "model", tmp_path / "state")],
    }
    for name, words in commands.items():
        message = failure(capsys, words)
        assert str(out / name) in message
        assert "Read-only file system" in message
    assert not (tmp_path / "model").exists()
    assert list(out.iterdir()) == []
    # The finished training was not lost: its last state is where it can be written.
    assert checkpoint.load(next((tmp_path / "state").glob("*/step-*")).parent) is not None


def test_inputs_that_are_read_only(
    study: Study, trained: Path, disk: Disk, forker: Forker, tmp_path: Path
) -> None:
    """Nothing is written beside a config, recordings, a corpus or a model."""
    for folder in (study.audio, study.corpus):
        shutil.copytree(folder, disk.folder / folder.name)
    settings = yaml.safe_load(study.config.read_text())
    settings["corpus"]["folder"]["path"] = str(disk.folder / "audio")
    config = disk.folder / "study.yaml"
    config.write_text(yaml.safe_dump(settings))
    shutil.copytree(trained, disk.folder / "model")
    disk.freeze()
    corpus, model = disk.folder / "corpus", disk.folder / "model"
    commands = [
        ["corpus", "--study", config, "--output", tmp_path / "corpus"],
        study.train(tmp_path / "model", tmp_path / "state", corpus=corpus),
        ["decode", "--study", config, "--corpus", corpus, "--model", model],
    ]
    commands[2] += ["--output", tmp_path / "decoded"]
    for words in commands:
        assert forker.run([str(word) for word in words]) == 0, forker.log.read_text()
    assert_same_training(tmp_path / "model", trained)
    for split in SPLITS:
        first, again = (folder / f"{split}.npy" for folder in (study.corpus, tmp_path / "corpus"))
        assert first.read_bytes() == again.read_bytes()
