"""Prepared corpora of a few utterances, for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taae.corpus.shards import join, prepare_shard, write_shards
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


def prepare_in_shards(corpus: dict[str, Any], hours: float, folder: Path) -> list[str]:
    """Prepare a corpus in `folder`/corpus in shards of about so many hours; return their names."""
    index = folder / "shards.json"
    write_shards(corpus, hours, folder / "shards", index)
    names: list[str] = json.loads(index.read_bytes())["shards"]
    for name in reversed(names):  # in any order
        prepare_shard(folder / "shards" / f"{name}.json", folder / "corpus/shards" / name)
    join(index, folder / "corpus")
    return names
