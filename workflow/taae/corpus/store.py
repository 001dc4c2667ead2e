"""Reading a prepared corpus: a memory map of the audio and its manifest, one pair per split."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taae.corpus.utterance import SPLITS
from taae.utils.audio import from_int16
from taae.utils.errors import TaaeError
from taae.utils.files import file_sha256

RERUN = "rerun rule corpus"


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


@dataclass(frozen=True)
class Split:
    """The audio of one split, utterance after utterance, and its manifest."""

    samples: NDArray[np.int16]
    manifest: Path

    @cached_property
    def utterances(self) -> Sequence[Record]:
        """One record per utterance, read when first asked for: a training needs none."""
        read: dict[str, Any] = {field.name: _FROM_TEXT[str(field.type)] for field in fields(Record)}
        return [
            Record(**{column: of_text(row[column]) for column, of_text in read.items()})
            for row in _rows(self.manifest)
        ]

    @classmethod
    def open(cls, folder: Path, name: str) -> Split:
        """Open split `name` of the corpus in `folder`; the audio stays on the disk.

        Raises:
            TaaeError: a file is missing, or the files are not of one and the same preparation.
        """
        if name not in SPLITS:
            raise TaaeError(f"corpus: no split '{name}'; there are {', '.join(SPLITS)}")
        manifest, audio = folder / f"{name}.csv", folder / f"{name}.npy"
        with _readable(f"{folder}, split '{name}'"):
            described = sum(int(row["samples"]) for row in _rows(manifest))
            expected = _summary(folder)["splits"][name]["sha256"]
            samples = np.load(audio, mmap_mode="r")
        if file_sha256(manifest) != expected:
            raise TaaeError(f"{manifest}: not the manifest that corpus.json describes; {RERUN}")
        if samples.dtype != np.int16 or samples.shape != (described,):
            raise TaaeError(
                f"{audio}: {samples.dtype} of shape {samples.shape}, but {manifest.name} describes"
                f" {described} int16 samples; {RERUN}"
            )
        return cls(samples, manifest)

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


def identity_of(folder: Path) -> str:
    """Return the SHA-256 over all of the corpus in `folder`."""
    with _readable(str(folder / "corpus.json")):
        return str(_summary(folder)["sha256"])


def _summary(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "corpus.json").read_bytes())  # type: ignore[no-any-return]


def _rows(manifest: Path) -> Iterator[dict[str, str]]:
    with manifest.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Turn every failure of reading `what` into one line."""
    try:
        yield
    except FileNotFoundError as error:
        raise TaaeError(f"{error.filename}: no such file; {RERUN}") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise TaaeError(f"{what}: not readable ({error!r}); {RERUN}") from error
