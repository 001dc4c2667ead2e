"""Corpora made one: samples and rows of all, in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from taae.corpus.merge import merge
from taae.corpus.store import Split
from taae.utils.errors import TaaeError
from tests.unit.corpus.corpora import write_splits


def a_corpus(folder: Path, prefix: str, lengths: dict[str, int]) -> Path:
    rng = np.random.default_rng(len(prefix))
    splits = {
        split: {f"{prefix}-{split}-{number}": rng.uniform(-0.5, 0.5, length) for number in range(2)}
        for split, length in lengths.items()
    }
    return write_splits(folder, splits)


def test_splits_lie_end_to_end(tmp_path: Path) -> None:
    one = a_corpus(tmp_path / "a", "a", {"train": 100, "validation": 40, "test": 30})
    other = a_corpus(tmp_path / "b", "bb", {"train": 70, "validation": 20, "test": 10})
    merge([one, other], tmp_path / "merged")
    for name in ("train", "validation", "test"):
        parts = [Split.open(folder, name) for folder in (one, other)]
        whole = Split.open(tmp_path / "merged", name)
        joined = np.concatenate([part.stored(0, part.samples) for part in parts])
        assert np.array_equal(whole.stored(0, whole.samples), joined)
        rows = [record for part in parts for record in part.utterances]
        assert [(r.utterance, r.sha256) for r in whole.utterances] == [
            (r.utterance, r.sha256) for r in rows
        ]
        for index in range(len(rows)):
            part, place = divmod(index, 2)
            assert np.array_equal(whole.audio(index), parts[part].audio(place))


def test_an_utterance_of_two_corpora_is_refused(tmp_path: Path) -> None:
    lengths = {"train": 10, "validation": 10, "test": 10}
    one, other = (a_corpus(tmp_path / name, "a", lengths) for name in ("one", "other"))
    with pytest.raises(TaaeError, match=r"other: utterance a-train-0 is in .*one too"):
        merge([one, other], tmp_path / "merged")
    assert not (tmp_path / "merged" / "corpus.json").exists()
