"""Finished models are kept by what determined them: none is lost, none trained twice."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from taae.training import kept, trainer
from taae.training import train as loop
from tests.unit.training.trainings import noise_corpus, tiny, weights


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return noise_corpus(tmp_path / "corpus", monkeypatch)


def train(corpus: Path, model: Path, seed: int = 1) -> None:
    """Train with a folder of kept models, as Snakemake does: what was there is gone before."""
    shutil.rmtree(model, ignore_errors=True)
    folder = corpus.parent
    loop.train(tiny(), seed, corpus, model, folder / "state", kept=folder / "kept")


def no_step(*_: object) -> NoReturn:
    raise AssertionError("a step was taken")


def test_back_at_its_settings_a_model_comes_back_without_a_step(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    train(corpus, model)
    first = {name: (model / name).read_bytes() for name in kept.FILES}
    train(corpus, model, seed=2)
    assert weights(model) != first["model.safetensors"]
    assert len(list((tmp_path / "kept").iterdir())) == 2
    monkeypatch.setattr(trainer.Trainer, "step", no_step)
    train(corpus, model)
    assert {name: (model / name).read_bytes() for name in kept.FILES} == first
    assert (model / "config.json").stat().st_mtime >= (corpus / "corpus.json").stat().st_mtime
    with pytest.raises(AssertionError, match="a step was taken"):
        train(corpus, model, seed=3)


def test_a_kept_model_takes_no_room_of_its_own(corpus: Path, tmp_path: Path) -> None:
    train(corpus, tmp_path / "model")
    (folder,) = (tmp_path / "kept").iterdir()
    assert (folder / "model.safetensors").samefile(tmp_path / "model" / "model.safetensors")


def test_where_there_are_no_hard_links_files_are_copied(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    model = tmp_path / "model"
    train(corpus, model)
    first = weights(model)
    monkeypatch.setattr(trainer.Trainer, "step", no_step)
    train(corpus, model)
    assert weights(model) == first


def test_a_damaged_one_is_trained_again_and_kept_whole(corpus: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    train(corpus, model)
    first = weights(model)
    (folder,) = (tmp_path / "kept").iterdir()
    damaged = bytearray(first)
    damaged[-1] ^= 1
    (folder / "model.safetensors").write_bytes(damaged)
    train(corpus, model)
    assert weights(model) == first == weights(folder)


def test_what_was_not_trained_here_is_not_kept(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in kept.FILES:
        (model / name).write_text('{"pretrained": "elsewhere"}')
    assert kept.keep(model, tmp_path / "kept") is None
    (model / "history.csv").unlink()
    assert kept.keep(model, tmp_path / "kept") is None
    assert not (tmp_path / "kept").exists()
