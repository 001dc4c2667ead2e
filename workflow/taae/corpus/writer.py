"""Writing a split: audio goes to the disk as it comes, its length is entered at the end."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from taae.corpus.store import COLUMNS, Record
from taae.corpus.utterance import Rejected, Utterance
from taae.study import SAMPLE_RATE

DTYPE = np.dtype("<i2")


class SplitWriter:
    """Appends utterances to an open `.npy` file and collects their manifest."""

    def __init__(self, audio: BinaryIO) -> None:
        """Start a file of no samples."""
        self._audio = audio
        self._samples = 0
        self.records: list[Record] = []
        self._write_header()

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[SplitWriter]:
        """Write the `.npy` file `path`; its header is right once the context ends."""
        with path.open("wb") as audio:
            writer = cls(audio)
            yield writer
            audio.seek(0)
            writer._write_header()

    def add(self, utterance: Utterance) -> None:
        """Append an utterance."""
        data = utterance.samples.astype(DTYPE).tobytes()
        self._audio.write(data)
        label = utterance.label
        self.records.append(
            Record(
                utterance=label.utterance,
                speaker=label.speaker,
                split=label.split,
                start=self._samples,
                samples=len(utterance.samples),
                loudness=round(utterance.loudness, 3),
                gain_db=round(utterance.gain_db, 3),
                peak_limited=utterance.peak_limited,
                source=label.source,
                text=label.text,
                sha256=hashlib.sha256(data).hexdigest(),
            )
        )
        self._samples += len(utterance.samples)

    def summary(self) -> dict[str, Any]:
        """Return what `corpus.json` says of the split."""
        return {
            "utterances": len(self.records),
            "speakers": len({record.speaker for record in self.records}),
            "seconds": round(self._samples / SAMPLE_RATE, 3),
            "peak_limited": sum(record.peak_limited for record in self.records),
        }

    def _write_header(self) -> None:
        # numpy pads this header so that a longer array needs no longer header.
        shape = (self._samples,)
        header = {"descr": DTYPE.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._audio, header)


def write_manifest(records: Sequence[Record], path: Path) -> str:
    """Write `<split>.csv` and return the SHA-256 of the file."""
    rows = [
        [int(value) if isinstance(value, bool) else value for value in astuple(record)]
        for record in records
    ]
    return _write_rows(COLUMNS, rows, path)


def write_rejected(rejected: Sequence[Rejected], path: Path) -> str:
    """Write `rejected.csv` and return the SHA-256 of the file."""
    rows = [(item.label.source, item.label.speaker, item.reason, item.detail) for item in rejected]
    return _write_rows(("source", "speaker", "reason", "detail"), rows, path)


def _write_rows(columns: Sequence[str], rows: Sequence[Sequence[object]], path: Path) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    return hashlib.sha256(path.read_bytes()).hexdigest()
