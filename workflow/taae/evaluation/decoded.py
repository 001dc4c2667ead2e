"""What a decoded run looks like on the disk, and the reference beside it."""

from __future__ import annotations

from pathlib import Path

from taae.corpus.store import Split
from taae.utils.audio import write_flac
from taae.utils.files import atomic

AUDIO, CODES, TABLE = "audio", "codes.npz", "utterances.csv"


def write_reference(corpus: Path, output: Path, split: str = "test") -> None:
    """Write the utterances of a split as FLAC files, what decoded ones are compared with."""
    data = Split.open(corpus, split)
    with atomic(output / AUDIO) as folder:
        for index, record in enumerate(data.utterances):
            write_flac(folder / f"{record.utterance}.flac", data.audio(index))
