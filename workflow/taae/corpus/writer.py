"""Writing a store: audio and rows go to the disk as they come, lengths are entered at the end."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from taae.corpus.store import COLUMNS, Record
from taae.corpus.utterance import Rejected, Utterance
from taae.utils.sample_rate import SAMPLE_RATE

DTYPE = np.dtype("<i2")
REJECTED_COLUMNS = ("source", "speaker", "reason", "detail")
SHOWN = 3  # rejected files that an error names


@dataclass
class Tally:
    """What a split holds so far; speakers with their numbers of utterances."""

    samples: int = 0
    peak_limited: int = 0
    speakers: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, note: dict[str, Any]) -> Tally:
        """Read what JSON made of a tally's `vars`."""
        return cls(note["samples"], note["peak_limited"], Counter(note["speakers"]))

    def summary(self) -> dict[str, Any]:
        """Return what `corpus.json` says of the split."""
        return {
            "utterances": self.speakers.total(),
            "speakers": len(self.speakers),
            "seconds": round(self.samples / SAMPLE_RATE, 3),
            "peak_limited": self.peak_limited,
        }


class SplitWriter:
    """Appends utterances to the `.npy` and the `.csv` file of a split."""

    def __init__(self, audio: BinaryIO, manifest: BinaryIO, tally: Tally | None = None) -> None:
        """Start both files, or go on with files that hold what `tally` says."""
        self._audio, self._manifest = audio, manifest
        self.tally = tally or Tally()
        if tally is None:
            self._write_header()
            manifest.write(_row(COLUMNS))

    @classmethod
    @contextmanager
    def open(cls, audio: Path, manifest: Path) -> Iterator[SplitWriter]:
        """Write two new files, which are complete once the context ends."""
        with audio.open("wb") as one, manifest.open("wb") as other:
            writer = cls(one, other)
            yield writer
            writer.finish()

    def add(self, utterance: Utterance) -> None:
        """Append an utterance."""
        data = utterance.samples.astype(DTYPE).tobytes()
        label = utterance.label
        record = Record(
            utterance=label.utterance,
            speaker=label.speaker,
            split=label.split,
            start=self.tally.samples,
            samples=len(utterance.samples),
            loudness=round(utterance.loudness, 3),
            gain_db=round(utterance.gain_db, 3),
            peak_limited=utterance.peak_limited,
            source=label.source,
            text=label.text,
            sha256=hashlib.sha256(data).hexdigest(),
        )
        values = astuple(record)
        self._audio.write(data)
        self._manifest.write(
            _row([int(value) if isinstance(value, bool) else value for value in values])
        )
        self.tally.samples += record.samples
        self.tally.peak_limited += record.peak_limited
        self.tally.speakers[record.speaker] += 1

    def finish(self) -> None:
        """Enter the length of the audio."""
        self._audio.seek(0)
        self._write_header()
        self._audio.flush()

    def _write_header(self) -> None:
        # numpy pads this header so that a longer array needs no longer header.
        shape = (self.tally.samples,)
        header = {"descr": DTYPE.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._audio, header)


@dataclass
class RejectedTally:
    """Which reasons there were, and the first of the files with what was wrong with them."""

    reasons: Counter[str] = field(default_factory=Counter)
    first: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, note: dict[str, Any]) -> RejectedTally:
        """Read what JSON made of a tally's `vars`."""
        return cls(Counter(note["reasons"]), note["first"])


class RejectedWriter:
    """Appends rejected files to `rejected.csv`."""

    def __init__(self, file: BinaryIO, tally: RejectedTally | None = None) -> None:
        """Start the file, or go on with one that holds what `tally` says."""
        self._file = file
        self.tally = tally or RejectedTally()
        if tally is None:
            file.write(_row(REJECTED_COLUMNS))

    def add(self, rejected: Rejected) -> None:
        """Append a file."""
        label = rejected.label
        self._file.write(_row([label.source, label.speaker, rejected.reason, rejected.detail]))
        self.tally.reasons[rejected.reason] += 1
        if len(self.tally.first) < SHOWN:
            self.tally.first.append(f"{label.source} ({rejected.detail})")


def _row(values: Sequence[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue().encode()
