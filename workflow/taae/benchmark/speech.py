"""Speech for the benchmarks: a corpus, or one that is spoken on the spot."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taae.corpus.prepare import prepare
from taae.corpus.store import Split
from taae.utils.schema import section_defaults

VOICES, UTTERANCES = 12, 4


@contextmanager
def speech_corpus(corpus: Path | None) -> Iterator[Path]:
    """Yield the folder `corpus`; without one, one of built-in speech that is prepared now."""
    if corpus:
        yield corpus
        return
    few = {"voices": 1, "utterances": 4}
    defaults = section_defaults("corpus")
    voices = {
        "train": {"voices": 1, "minutes": 1},
        "validation": few,
        "test": {"voices": VOICES, "utterances": UTTERANCES},
    }
    settings = defaults | {"kind": "synthetic", "synthetic": defaults["synthetic"] | voices}
    with tempfile.TemporaryDirectory() as folder:
        prepare(settings, Path(folder))
        yield Path(folder)


@contextmanager
def speech_split(corpus: Path | None) -> Iterator[Split]:
    """Open the test split of `corpus`; without one, of built-in speech."""
    with speech_corpus(corpus) as folder:
        yield Split.open(folder, "test")
