"""Recutting the test split: lengths and voices."""

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
def test_every_speaker_is_heard_for_exactly_that_long(corpus: Path, seconds: float) -> None:
    whole = Split.open(corpus, "test")
    cut = list(recut(whole, seconds))
    assert [speaker for speaker, _, _ in cut] == sorted({r.speaker for r in whole.utterances})
    assert len({name for _, name, _ in cut}) == len(cut)
    for speaker, _, audio in cut:
        assert len(audio) == seconds * SAMPLE_RATE
        own = [n for n, r in enumerate(whole.utterances) if r.speaker == speaker]
        spoken = np.concatenate([whole.audio(n) for n in own])
        repeated = np.tile(spoken, 1 + len(audio) // len(spoken))[: len(audio)]
        np.testing.assert_array_equal(audio, repeated)


def test_no_length_is_refused(corpus: Path) -> None:
    with pytest.raises(TaaeError, match="0 s is no length"):
        list(recut(Split.open(corpus, "test"), 0))
