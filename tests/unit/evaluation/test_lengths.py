"""Recutting the test split: lengths, voices, and a store that the later stages open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from taae.corpus.prepare import prepare
from taae.corpus.store import Split
from taae.evaluation.lengths import recut
from taae.utils.errors import TaaeError
from taae.utils.sample_rate import SAMPLE_RATE

TINY = {
    "kind": "synthetic",
    "seed": 3,
    "loudness": -20.0,
    "min_seconds": 0.5,
    "max_rejected": 0.0,
    "synthetic": {
        "unseen": "families",
        "train": {"voices": 1, "minutes": 0.01},
        "validation": {"voices": 1, "utterances": 1},
        "test": {"voices": 2, "utterances": 2},
    },
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    prepare(TINY, folder)
    return folder


@pytest.mark.parametrize("seconds", [0.5, 1, 30])
def test_every_speaker_is_heard_for_exactly_that_long(
    corpus: Path, tmp_path: Path, seconds: float
) -> None:
    whole = Split.open(corpus, "test")
    recut(corpus, seconds, tmp_path)
    cut = Split.open(tmp_path, "test")
    assert [r.speaker for r in cut.utterances] == sorted({r.speaker for r in whole.utterances})
    for index, record in enumerate(cut.utterances):
        assert record.samples == seconds * SAMPLE_RATE
        own = [n for n, r in enumerate(whole.utterances) if r.speaker == record.speaker]
        spoken = np.concatenate([whole.audio(n) for n in own])
        repeated = np.tile(spoken, 1 + record.samples // len(spoken))[: record.samples]
        np.testing.assert_array_equal(cut.audio(index), repeated)


def test_no_length_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(TaaeError, match="0 s is no length"):
        recut(corpus, 0, tmp_path)
    assert not list(tmp_path.iterdir())
