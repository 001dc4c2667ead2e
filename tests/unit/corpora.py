"""Prepared corpora of a few utterances, for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taae.corpus.utterance import Label, Utterance
from taae.corpus.writer import SplitWriter, digest


def write_corpus(folder: Path, audio: Mapping[str, NDArray[np.float64]]) -> Path:
    """Write a corpus whose test split is utterance -> (samples,) at 16 kHz; return its folder."""
    folder.mkdir()
    with SplitWriter.open(folder / "test.npy", folder / "test.csv") as writer:
        for name, samples in audio.items():
            label = Label(name, "s", "test", "", "")
            pcm = np.rint(samples * 32767).astype(np.int16)
            writer.add(Utterance(label, pcm, -20.0, 0.0, False, 16_000))
    splits = {"test": {"sha256": digest(folder / "test.csv")}}
    (folder / "corpus.json").write_text(json.dumps({"splits": splits}))
    return folder
