"""Prepared corpora of a few utterances, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taae.corpus.utterance import Label, Utterance
from taae.corpus.writer import write_store


def write_corpus(folder: Path, audio: Mapping[str, NDArray[np.float64]]) -> Path:
    """Write a corpus whose test split is utterance -> (samples,) at 16 kHz; return its folder."""
    return write_splits(folder, {"test": audio})


def write_splits(folder: Path, splits: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> Path:
    """Write a corpus of splits as those of `write_corpus`; return its folder."""
    with write_store(folder, {}, list(splits)) as store:
        for split, audio in splits.items():
            for name, samples in audio.items():
                label = Label(name, "s", split, "", "")
                pcm = np.rint(samples * 32767).astype(np.int16)
                store.add(Utterance(label, pcm, -20.0, 0.0, False, 16_000))
    return folder
