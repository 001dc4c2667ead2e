"""What the corpus is made of: utterances with their audio, rejected files, and a plan of jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)  # a corpus may have millions
class Label:
    """Where an utterance belongs.

    `source` is its path below the corpus folder, or the voice that speaks it.
    """

    utterance: str
    speaker: str
    split: str
    source: str
    text: str


@dataclass(frozen=True)
class Utterance:
    """A prepared utterance: int16 mono at 16 kHz, and how its level was reached.

    `loudness` in LUFS, `gain_db` in dB; `peak_limited` where the peak kept the loudness below its
    target; `source_rate` in Hz is the rate before resampling.
    """

    label: Label
    samples: NDArray[np.int16]
    loudness: float
    gain_db: float
    peak_limited: bool
    source_rate: int


@dataclass(frozen=True)
class Rejected:
    """A file that is no part of the corpus, with one of `taae.corpus.normalise.REASONS`."""

    label: Label
    reason: str
    detail: str


Outcome = Utterance | Rejected


@dataclass(frozen=True)
class Plan:
    """How to prepare a corpus: `work(batch)` returns the utterances of a batch.

    The jobs are independent of each other and in the order of the corpus. A job is a batch itself,
    or `read(job)` yields its batches one by one: of a job whose audio is too much for the memory,
    such as a tar. One process reads, others work.
    """

    work: Callable[[Any], list[Outcome]]
    jobs: Sequence[Any]
    read: Callable[[Any], Iterable[Any]] | None = None

    def batches(self, jobs: Iterable[Any]) -> Iterator[Any]:
        """Yield the batches of some of the jobs; the next is read when it is asked for."""
        return chain.from_iterable(map(self.read, jobs)) if self.read else iter(jobs)


def printable(text: str) -> str:
    """Escape what a table cannot hold on one line in UTF-8: controls and undecodable bytes."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
