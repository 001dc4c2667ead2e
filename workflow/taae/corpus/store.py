"""Reading a prepared corpus: audio, which stays on the disk, and a manifest, by split.

The audio of a split is one file, `<split>.npy`. Where the corpus was prepared in shards
(`taae.corpus.shards`), that of the training is a file in each shard; the samples are the same.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_magic
from numpy.typing import NDArray

from taae.corpus.utterance import SPLITS
from taae.utils.audio import from_int16
from taae.utils.errors import TaaeError

RERUN = "rerun rule corpus"
SHARDED, SHARDS = "train", "shards"  # the split whose audio may lie in parts, and their folder
LARGEST = 2**29  # samples that are read at once; systems read 2 GiB at most
OPEN = 64  # files of audio that a process has open at a time, of 1024 that systems often allow


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a manifest; the columns of `<split>.csv` are these fields, in this order.

    `start` and `samples` count int16 samples of `<split>.npy`; `loudness` is in LUFS;
    `peak_limited` is 1 where the peak kept the loudness below its target, else 0; `sha256` is that
    of the little-endian int16 samples.
    """

    utterance: str
    speaker: str
    split: str
    start: int
    samples: int
    loudness: float
    gain_db: float
    peak_limited: int
    source: str
    text: str
    sha256: str


COLUMNS = tuple(field.name for field in fields(Record))
_FROM_TEXT = {"str": str, "int": int, "float": float}
_READ: list[Any] = [_FROM_TEXT[str(field.type)] for field in fields(Record)]


class AudioFile:
    """A `.npy` file of so many int16 samples, read at any place by any thread.

    It is no memory map: pages that were read would count as memory of the process, more and more in
    a long training, and an error of the disk would kill it without a word.
    """

    def __init__(self, path: Path, samples: int) -> None:
        self.path = path
        with _readable(str(path)):
            self._file = path.open("rb", buffering=0)
            read_magic(self._file)
            shape, _, dtype = read_array_header_1_0(self._file)
            self._begin = self._file.tell()
            said = self._begin + dtype.itemsize * math.prod(shape)
            if os.fstat(self._file.fileno()).st_size != said:
                raise ValueError(f"it should have {said} bytes")
        if dtype != np.int16 or shape != (samples,):
            raise TaaeError(
                f"{path}: {dtype} of shape {shape}, but corpus.json describes {samples} int16"
                f" samples; {RERUN}"
            )

    def read(self, start: int, samples: int) -> NDArray[np.int16]:
        """Return samples from `start` on."""
        with _readable(str(self.path)):
            data = os.pread(self._file.fileno(), 2 * samples, self._begin + 2 * start)
            if len(data) != 2 * samples:
                raise EOFError("it has become shorter")
        return np.frombuffer(data, np.int16)


class Split:
    """The audio of one split, utterance after utterance, and its manifest.

    What it costs does not grow with the number of utterances, unless one asks for `utterances`.

    Args:
        audio: its files, in order, and how many samples each has.
        manifest: table of the utterances.
        sha256: of the manifest.

    Attributes:
        samples: number of them in all, at 16 kHz.
    """

    def __init__(self, audio: Sequence[tuple[Path, int]], manifest: Path, sha256: str) -> None:
        self.manifest, self._sha256 = manifest, sha256
        self._ends = [*accumulate(samples for _, samples in audio)]
        self.samples = self._ends[-1]
        self._open = lru_cache(OPEN)(lambda number: AudioFile(*audio[number]))
        for number in range(len(audio)):
            self._open(number)

    @classmethod
    def open(cls, folder: Path, name: str) -> Split:
        """Open split `name` of the corpus in `folder`; the audio stays on the disk.

        Every file of audio is opened once, to find what is missing before a training begins. The
        manifest is checked when it is read, which a training never does.

        Raises:
            TaaeError: a file is missing, or the files are not of one and the same preparation.
        """
        if name not in SPLITS:
            raise TaaeError(f"corpus: no split '{name}'; there are {', '.join(SPLITS)}")
        with _readable(f"{folder}, split '{name}'"):
            summary = summary_of(folder)
            about = summary["splits"][name]
            audio = [(folder / f"{name}.npy", about["samples"])]
            if name == SHARDED and summary["shards"]:
                audio = [
                    (folder / SHARDS / shard["name"] / f"{name}.npy", shard["samples"])
                    for shard in summary["shards"]
                ]
            sha256 = about["sha256"]
        return cls(audio, folder / f"{name}.csv", sha256)

    def records(self) -> Iterator[Record]:
        """Yield a record per utterance, once the manifest is found to be the right one."""
        with _readable(str(self.manifest)), self.manifest.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != self._sha256:
                raise TaaeError(
                    f"{self.manifest}: not the manifest that corpus.json describes; {RERUN}"
                )
            file.seek(0)
            rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8", newline=""))
            if tuple(next(rows)) != COLUMNS:
                raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
            for row in rows:
                yield Record(*(of(text) for of, text in zip(_READ, row, strict=True)))

    @cached_property
    def utterances(self) -> Sequence[Record]:
        """One record per utterance, all in memory: for splits that are small."""
        return [*self.records()]

    def audio(self, index: int) -> NDArray[np.float32]:
        """Return utterance `index` as (samples,) in [-1, 1)."""
        record = self.utterances[index]
        return self.segment(record.start, record.samples)

    def segment(self, start: int, samples: int) -> NDArray[np.float32]:
        """Return any stretch of the split, across utterances too, as (samples,) in [-1, 1).

        Raises:
            ValueError: the stretch is not inside the split.
        """
        return from_int16(self.stored(start, samples))

    def stored(self, start: int, samples: int) -> NDArray[np.int16]:
        """Return the same stretch as it is stored.

        Raises:
            ValueError: the stretch is not inside the split.
        """
        if start < 0 or samples < 0 or start + samples > self.samples:
            raise ValueError(f"samples {start} to {start + samples} are not among {self.samples}")
        pieces = [np.empty(0, np.int16)]
        end = start + samples
        while start < end:
            number = bisect_right(self._ends, start)
            begin = self._ends[number - 1] if number else 0
            stop = min(end, self._ends[number], start + LARGEST)
            pieces.append(self._open(number).read(start - begin, stop - start))
            start = stop
        return pieces[1] if len(pieces) == 2 else np.concatenate(pieces)


def identity_of(folder: Path) -> str:
    """Return the SHA-256 over all of the corpus in `folder`, whatever its shards."""
    with _readable(str(folder / "corpus.json")):
        return str(summary_of(folder)["sha256"])


def summary_of(folder: Path) -> dict[str, Any]:
    """Return the corpus.json of the corpus in `folder`."""
    return json.loads((folder / "corpus.json").read_bytes())  # type: ignore[no-any-return]


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Turn every failure of reading `what` into one line."""
    try:
        yield
    except FileNotFoundError as error:
        raise TaaeError(f"{error.filename}: no such file; {RERUN}") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise TaaeError(f"{what}: not readable ({error!r}); {RERUN}") from error
