"""Writing a store: audio and rows go to the disk as they come, and all take their place at once."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import soundfile

from taae.corpus.store import COLUMNS, Record, Split
from taae.corpus.utterance import SPLITS, Label, Outcome, Rejected, Utterance
from taae.utils.files import atomic, file_sha256
from taae.utils.sample_rate import SAMPLE_RATE

DTYPE = np.dtype("<i2")
REJECTED_COLUMNS = ("source", "speaker", "reason", "detail")
_values, _START = attrgetter(*COLUMNS), COLUMNS.index("start")
LIBRARIES = ("espeakng-loader", "numpy", "pyloudnorm", "soundfile", "soxr")


class SplitWriter:
    """Appends utterances to the `.npy` and the `.csv` file of a split, and counts them."""

    def __init__(self, audio: io.BufferedIOBase, manifest: TextIO) -> None:
        self.samples = self.peak_limited = 0
        self.speakers: Counter[str] = Counter()  # utterances of each
        self._audio = audio
        self._rows = csv.writer(manifest, lineterminator="\n")
        self._rows.writerow(COLUMNS)
        self.write_header()

    def write_header(self) -> None:
        """Write the length so far at the start of the audio file."""
        self._audio.seek(0)
        # numpy pads this header so that a longer array needs no longer header.
        header = {"descr": DTYPE.str, "fortran_order": False, "shape": (self.samples,)}
        np.lib.format.write_array_header_1_0(self._audio, header)

    def add(self, utterance: Utterance) -> None:
        """Append an utterance."""
        data = utterance.samples.astype(DTYPE).tobytes()
        record = Record(
            **asdict(utterance.label),
            start=self.samples,
            samples=len(utterance.samples),
            loudness=round(utterance.loudness, 3),
            gain_db=round(utterance.gain_db, 3),
            peak_limited=int(utterance.peak_limited),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        self._audio.write(data)
        self.add_row(record)

    def add_row(self, record: Record) -> None:
        """Append the row of an utterance whose audio is the next, here or in a shard."""
        row = [*_values(record)]
        row[_START] = self.samples
        self._rows.writerow(row)
        self.samples += record.samples
        self.peak_limited += record.peak_limited
        self.speakers[record.speaker] += 1

    def summary(self) -> dict[str, Any]:
        """Return what `corpus.json` says of the split."""
        return {
            "utterances": self.speakers.total(),
            "speakers": len(self.speakers),
            "samples": self.samples,
            "seconds": round(self.samples / SAMPLE_RATE, 3),
            "peak_limited": self.peak_limited,
        }


class StoreWriter:
    """Adds outcomes to their splits, or to the list of rejected files.

    `shards` is what `corpus.json` says of the files of training audio, where it is in shards.
    """

    def __init__(self, splits: dict[str, SplitWriter]) -> None:
        self.splits = splits
        self.shards: list[dict[str, Any]] = []
        self.rejected: list[Rejected] = []
        self.rates: Counter[int] = Counter()  # Hz before resampling: utterances

    def add(self, outcome: Outcome) -> None:
        """Append an utterance, or note a rejected file."""
        if isinstance(outcome, Rejected):
            self.rejected.append(outcome)
        else:
            self.splits[outcome.label.split].add(outcome)
            self.rates[outcome.source_rate] += 1

    def speakers_overlap(self) -> list[str]:
        """Return the speakers that occur in more than one split."""
        splits = Counter(name for writer in self.splits.values() for name in writer.speakers)
        return sorted(name for name, count in splits.items() if count > 1)


@contextmanager
def write_store(
    folder: Path,
    settings: dict[str, Any],
    splits: Sequence[str] = SPLITS,
    sharded: Sequence[str] = (),
) -> Iterator[StoreWriter]:
    """Write a store of `settings`; its files take their place at the end, `corpus.json` last.

    Of splits in `sharded` the audio lies in shards already, and rows alone are added.

    An exception in the block leaves everything as it was. Where a file cannot take its place after
    another did, no `corpus.json` is left, so that nobody takes the mixture for a corpus.
    """
    with ExitStack() as places:
        # A stack unwinds backwards: what is entered first is put in place last.
        names = ["corpus.json", "rejected.csv"]
        names += [f"{split}.npy" for split in splits if split not in sharded]
        names += [f"{split}.csv" for split in splits]
        paths = {name: places.enter_context(atomic(folder / name)) for name in names[:-1]}
        places.enter_context(_withdrawn(folder / "corpus.json"))
        paths[names[-1]] = places.enter_context(atomic(folder / names[-1]))
        with ExitStack() as files:
            writers = {
                split: SplitWriter(
                    files.enter_context(
                        io.BytesIO() if split in sharded else paths[f"{split}.npy"].open("wb")
                    ),
                    files.enter_context(_text(paths[f"{split}.csv"])),
                )
                for split in splits
            }
            store = StoreWriter(writers)
            yield store
            for writer in writers.values():
                writer.write_header()
        with _text(paths["rejected.csv"]) as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(REJECTED_COLUMNS)
            for each in store.rejected:
                rows.writerow((each.label.source, each.label.speaker, each.reason, each.detail))
        digests = {split: file_sha256(paths[f"{split}.csv"]) for split in splits}
        everything = "\n".join([*digests.values(), file_sha256(paths["rejected.csv"])])
        content = {
            "settings": settings,
            "splits": {
                split: writer.summary() | {"sha256": digests[split]}
                for split, writer in writers.items()
            },
            "shards": store.shards,
            "speakers_overlap": store.speakers_overlap(),
            "rejected": len(store.rejected),
            "source_rates": dict(sorted(store.rates.items())),
            "sha256": hashlib.sha256(everything.encode()).hexdigest(),
            "libraries": {name: version(name) for name in LIBRARIES}
            | {"libsndfile": soundfile.__libsndfile_version__},
        }
        with _text(paths["corpus.json"]) as file:
            file.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def stored_utterance(split: Split, record: Record) -> Utterance:
    """Return an utterance of another store, to add it to this one as it is."""
    label = Label(record.utterance, record.speaker, record.split, record.source, record.text)
    samples, limited = split.stored(record.start, record.samples), bool(record.peak_limited)
    return Utterance(label, samples, record.loudness, record.gain_db, limited, SAMPLE_RATE)


@contextmanager
def _withdrawn(path: Path) -> Iterator[None]:
    """Remove a file once what comes later has taken its place."""
    yield
    path.unlink(missing_ok=True)


def _text(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="")
