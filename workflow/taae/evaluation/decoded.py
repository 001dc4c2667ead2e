"""The files of a decoded run, and of the reference that it is compared with."""

from __future__ import annotations

from pathlib import Path

from taae.corpus.store import Split
from taae.utils.audio import write_flac
from taae.utils.files import atomic

AUDIO, CODES, TABLE = "audio", "codes.npz", "utterances.csv"


def write_reference(corpus: Path, output: Path, split: str = "test") -> None:
    """Write the utterances of a split as FLAC files, to compare decoded ones with."""
    data = Split.open(corpus, split)
    with atomic(output / AUDIO) as folder:
        for index, record in enumerate(data.utterances):
            write_flac(folder / f"{record.utterance}.flac", data.audio(index))
