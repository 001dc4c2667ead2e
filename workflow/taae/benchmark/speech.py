"""Speech for the benchmarks: a corpus, or one that is spoken on the spot."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taae.corpus.config import Corpus, Synthetic, SyntheticSplit, SyntheticTraining
from taae.corpus.prepare import prepare
from taae.corpus.store import Split

VOICES, UTTERANCES = 12, 4


@contextmanager
def speech_corpus(corpus: Path | None) -> Iterator[Path]:
    """Yield the folder `corpus`; without one, one of built-in speech that is prepared now."""
    if corpus:
        yield corpus
        return
    voices = Synthetic(
        train=SyntheticTraining(voices=1, minutes=1.0),
        validation=SyntheticSplit(voices=1),
        test=SyntheticSplit(VOICES, UTTERANCES),
    )
    with tempfile.TemporaryDirectory() as folder:
        prepare(Corpus(synthetic=voices).chosen(), Path(folder))
        yield Path(folder)


@contextmanager
def speech_split(corpus: Path | None) -> Iterator[Split]:
    """Open the test split of `corpus`; without one, of built-in speech."""
    with speech_corpus(corpus) as folder:
        yield Split.open(folder, "test")
