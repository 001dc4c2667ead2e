"""What a corpus is made of: utterances, rejected files, and the items of a plan to prepare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

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


class Item(Protocol):
    """What a plan lists: a file, a passage to speak, an archive of recordings.

    A frozen dataclass whose fields are JSON values, or lists, or dataclasses of them: items are
    written as JSON, and read again where they are prepared.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def key(self) -> str:
        """The item's name, which other items of the corpus do not change; shards are cut by it."""
        ...

    @property
    def seconds(self) -> float:
        """About how long its speech is, from what the listing tells without opening a file."""
        ...


@dataclass(frozen=True)
class Plan:
    """The speech of a corpus, listed and not yet read. It is data: see `taae.corpus.shards`.

    Attributes:
        items: in the order of the corpus; each is prepared independently of the others.
        settings: JSON values that every item is prepared with; keywords of `Kind.work`.
    """

    items: Sequence[Item]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of corpus, one of `taae.corpus.prepare.KINDS`.

    Attributes:
        plan: lists the speech of the `corpus` section of a study, or of a test set, as `chosen`
            gives them. Raises a `TaaeError` for what is wrong with it.
        work: `work(batch, **settings)` returns the outcomes of a batch, in their order. It is
            called in another process, on another machine too, and knows only its arguments; all of
            its outcomes are in memory at once.
        item: class of the items.
        together: largest number of items of a batch, which is a list of them.
        read: `read(item, **settings)` yields the batches of an item one by one, whatever `work`
            takes for a batch: of an item whose audio is too much for the memory, such as a tar.
            One process reads, others work.
    """

    plan: Callable[[dict[str, Any]], Plan]
    work: Callable[..., list[Outcome]]
    item: type[Any]
    together: int = 1
    read: Callable[..., Iterable[Any]] | None = None


def printable(text: str) -> str:
    """Escape what a table cannot hold on one line in UTF-8: controls and undecodable bytes."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
