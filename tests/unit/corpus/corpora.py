"""Prepared corpora of a few utterances, for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taae.corpus.utterance import Label, Utterance
from taae.corpus.writer import SplitWriter
from taae.utils.files import file_sha256


def write_corpus(folder: Path, audio: Mapping[str, NDArray[np.float64]]) -> Path:
    """Write a corpus whose test split is utterance -> (samples,) at 16 kHz; return its folder."""
    return write_splits(folder, {"test": audio})


def write_splits(folder: Path, splits: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> Path:
    """Write a corpus of splits as those of `write_corpus`; return its folder."""
    folder.mkdir()
    summary = {}
    for split, audio in splits.items():
        with SplitWriter.open(folder / f"{split}.npy", folder / f"{split}.csv") as writer:
            for name, samples in audio.items():
                label = Label(name, "s", split, "", "")
                pcm = np.rint(samples * 32767).astype(np.int16)
                writer.add(Utterance(label, pcm, -20.0, 0.0, False, 16_000))
        summary[split] = {"sha256": file_sha256(folder / f"{split}.csv")}
    (folder / "corpus.json").write_text(json.dumps({"sha256": "0" * 64, "splits": summary}))
    return folder
