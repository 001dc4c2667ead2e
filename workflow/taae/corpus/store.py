"""Reading a prepared corpus: a memory map of the audio and its manifest, one pair per split."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from taae.corpus.utterance import SPLITS
from taae.utils.audio import from_int16
from taae.utils.errors import TaaeError

RERUN = "rerun the corpus stage"


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a manifest; the columns of `<split>.csv` are these fields, in this order.

    `start` and `samples` count int16 samples of `<split>.npy`; `loudness` is in LUFS; `sha256` is
    that of the little-endian int16 samples.
    """

    utterance: str
    speaker: str
    split: str
    start: int
    samples: int
    loudness: float
    gain_db: float
    peak_limited: bool
    source: str
    text: str
    sha256: str

    @classmethod
    def from_row(cls, row: dict[str, str]) -> Record:
        """Read a row of the CSV; a `ValueError`, `KeyError` or `TypeError` means it is none."""
        values: dict[str, Any] = {column: row[column] for column in COLUMNS}
        for column in ("start", "samples"):
            values[column] = int(row[column])
        for column in ("loudness", "gain_db"):
            values[column] = float(row[column])
        values["peak_limited"] = row["peak_limited"] == "1"
        return cls(**values)


COLUMNS = tuple(field.name for field in fields(Record))


def identity_of(folder: Path) -> str:
    """Return the SHA-256 over all of the corpus in `folder`."""
    try:
        identity = json.loads((folder / "corpus.json").read_bytes())["sha256"]
    except FileNotFoundError as error:
        raise TaaeError(f"{error.filename}: no such file; {RERUN}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise TaaeError(f"{folder / 'corpus.json'}: not readable ({error!r}); {RERUN}") from error
    return str(identity)


@dataclass(frozen=True)
class Split:
    """The audio of one split, utterance after utterance, and its manifest."""

    samples: NDArray[np.int16]
    manifest: Path

    @cached_property
    def utterances(self) -> Sequence[Record]:
        """One record per utterance, read when first asked for: a training needs none."""
        with self.manifest.open(encoding="utf-8", newline="") as file:
            return [Record.from_row(row) for row in csv.DictReader(file)]

    @classmethod
    def open(cls, folder: Path, name: str) -> Split:
        """Open split `name` of the corpus in `folder`; the audio stays on the disk.

        Raises:
            TaaeError: a file is missing, or the files are not of one and the same preparation.
        """
        if name not in SPLITS:
            raise TaaeError(f"corpus: no split '{name}'; there are {', '.join(SPLITS)}")
        try:
            sha256, described = _read_manifest(folder / f"{name}.csv")
            summary = json.loads((folder / "corpus.json").read_bytes())
            samples = np.load(folder / f"{name}.npy", mmap_mode="r")
            expected = summary["splits"][name]["sha256"]
        except FileNotFoundError as error:
            raise TaaeError(f"{error.filename}: no such file; {RERUN}") from None
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise TaaeError(
                f"{folder}: split '{name}' is not readable ({error}); {RERUN}"
            ) from error
        if sha256 != expected:
            raise TaaeError(
                f"{folder / name}.csv: not the manifest that corpus.json describes; {RERUN}"
            )
        if samples.dtype != np.int16 or samples.shape != (described,):
            raise TaaeError(
                f"{folder / name}.npy: {samples.dtype} of shape {samples.shape}, but {name}.csv"
                f" describes {described} int16 samples; {RERUN}"
            )
        return cls(samples, folder / f"{name}.csv")

    def audio(self, index: int) -> NDArray[np.float32]:
        """Return utterance `index` as (samples,) in [-1, 1)."""
        record = self.utterances[index]
        return self.segment(record.start, record.samples)

    def segment(self, start: int, samples: int) -> NDArray[np.float32]:
        """Return any stretch of the split, across utterances too, as (samples,) in [-1, 1).

        Raises:
            ValueError: the stretch is not inside the split.
        """
        if start < 0 or samples < 0 or start + samples > len(self.samples):
            raise ValueError(
                f"samples {start} to {start + samples} are not among {len(self.samples)}"
            )
        return from_int16(self.samples[start : start + samples])


def _read_manifest(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a manifest and the sum of its samples, in memory for one row."""
    found = hashlib.sha256()

    def lines(file: BinaryIO) -> Iterator[str]:
        for line in file:
            found.update(line)
            yield line.decode()

    with path.open("rb") as file:
        samples = sum(int(row["samples"]) for row in csv.DictReader(lines(file)))
    return found.hexdigest(), samples
