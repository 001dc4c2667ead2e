"""Encoded audio in parts, such as tars, which are read from start to end and never held whole."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from taae.corpus.normalise import Target
from taae.corpus.recordings import (
    BYTES_PER_SECOND,
    LONGEST_ID,
    TOGETHER,
    Recording,
    limit_test,
    read,
    utterance_ids,
)
from taae.corpus.speakers import draw_speakers
from taae.corpus.utterance import SPLITS, Kind, Label, Outcome, Plan, printable
from taae.utils.errors import TaaeError

BATCH_BYTES = 4_000_000  # after which a batch is full: its audio is in memory
DRAWN = ""  # split of a part whose samples have splits of their own
LISTS = "list what each split takes (train, validation, test) in place of draw_from"


@dataclass(frozen=True, slots=True)
class Sample:
    """An utterance under its key, of which a part has one alone; `audio`: a file or its content."""

    key: str
    speaker: str
    text: str
    audio: bytes | Path


class Source(Protocol):
    """Where the parts are; a part is known by its address."""

    def parts(self, listed: Sequence[str]) -> list[str]:
        """Return the addresses of the parts that the config lists."""

    def name(self, part: str) -> str:
        """Return what the utterances of a part are called after."""

    def size(self, part: str) -> int:
        """Return its bytes, or what such parts usually have."""

    def samples(self, part: str) -> Iterator[Sample]:
        """Yield the samples of a part in its order."""

    def speakers(self, part: str) -> Iterator[tuple[str, str]]:
        """Yield key and speaker of each sample, without its audio where that can be spared."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part, and which of its samples are used.

    Attributes:
        address: under which its source knows it.
        size: in bytes, or what such parts usually have.
        name: what its utterances are called after; no other part of the corpus has it.
        split: of all its samples, or by key of the samples that are used.
    """

    address: str
    size: int
    name: str
    split: str | dict[str, str]

    @property
    def key(self) -> str:
        """The address."""
        return self.address

    @property
    def seconds(self) -> float:
        """What so many bytes of FLAC hold, at 16 kHz."""
        return self.size / BYTES_PER_SECOND[".flac"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Audio as it came, and where its utterance belongs."""

    label: Label
    audio: bytes | Path = field(repr=False)


def kind(source: Callable[..., Source]) -> Kind:
    """Return a kind of corpus whose parts `source(section, max_seconds)` has."""
    return Kind(
        functools.partial(plan, source=source),
        decode,
        Part,
        read=functools.partial(batches, source=source),
    )


def plan(corpus: dict[str, Any], source: Callable[..., Source]) -> Plan:
    """Plan a corpus of parts.

    Where each split lists its parts, the parts of the test alone are read before: for their
    speakers, of whom each has at most `test_utterances`. Where speakers are drawn, all parts are.

    Raises:
        TaaeError: what is wrong with the lists, the parts, or the speakers.
    """
    section = corpus[corpus["kind"]]
    there = source(section, corpus["max_seconds"])
    if section["draw_from"]:
        listed = dict.fromkeys(there.parts(section["draw_from"]), DRAWN)
    else:
        listed = _listed(there, corpus)
    split_of: dict[str, str | dict[str, str]] = dict(listed)
    split_of |= _chosen(there, [part for part in listed if listed[part] in (DRAWN, "test")], corpus)
    names = utterance_ids(list(listed), map(there.name, listed))
    parts = [
        Part(address, there.size(address), name, split_of[address])
        for address, name in zip(listed, names, strict=True)
    ]
    limits = {name: corpus[name] for name in ("loudness", "min_seconds", "max_seconds")}
    return Plan(parts, {"section": section, **limits})


def _listed(source: Source, corpus: dict[str, Any]) -> dict[str, str]:
    """Return the split of each part that the config lists."""
    kind, found = corpus["kind"], dict[str, str]()
    for split in corpus.get("splits", SPLITS):
        listed = corpus[kind][split]
        if not listed:
            raise TaaeError(
                f"config: corpus.{kind}.{split} is empty: list what each split takes, or all under"
                f" corpus.{kind}.draw_from, so that speakers are drawn"
            )
        for part in source.parts(listed):
            if found.setdefault(part, split) != split:
                raise TaaeError(f"config: corpus.{kind}: {part} serves {found[part]} and {split}")
    return found


def _chosen(
    source: Source, parts: Sequence[str], corpus: dict[str, Any]
) -> dict[str, dict[str, str]]:
    """Return for each part the split of the samples that are used, by their keys."""
    section = corpus[corpus["kind"]]
    found = [(part, key, speaker) for part in parts for key, speaker in source.speakers(part)]
    split_of = dict.fromkeys((speaker for *_, speaker in found), "test")
    if section["draw_from"]:
        split_of = draw_speakers(split_of, corpus, LISTS)
    drawn = [
        Recording(key, 0, Label(f"{part}/{key}", speaker, split_of[speaker], part, ""))
        for part, key, speaker in found
        if speaker in split_of
    ]
    chosen: dict[str, dict[str, str]] = {part: {} for part in parts}
    for each in limit_test(drawn, section["test_utterances"], corpus["seed"]):
        chosen[each.label.source][each.path] = each.label.split
    return chosen


def batches(
    part: Part, source: Callable[..., Source], section: dict[str, Any], max_seconds: float, **_: Any
) -> Iterator[list[Encoded]]:
    """Read a part: a batch has few samples, so that memory does not grow with the part."""
    keys: dict[str, str] = {}
    batch: list[Encoded] = []
    size = 0
    for sample in source(section, max_seconds).samples(part.address):
        utterance = _utterance(part, sample.key, keys)
        split = part.split if isinstance(part.split, str) else part.split.get(sample.key)
        if not split:
            continue
        place = printable(f"{part.name}/{sample.key}")
        label = Label(utterance, printable(sample.speaker), split, place, printable(sample.text))
        batch.append(Encoded(label, sample.audio))
        size += len(sample.audio) if isinstance(sample.audio, bytes) else 0
        if size >= BATCH_BYTES or len(batch) == TOGETHER:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _utterance(part: Part, key: str, keys: dict[str, str]) -> str:
    """Return a unique, file-name-safe id, which depends on nothing beyond the part.

    A dot ends the name of the part, since there is none in a key. What would be too long, or equal
    to an earlier id of the part but for case, ends in a hash. `keys` has the key of each id so far,
    and gets this one.
    """
    found = f"{part.name}.{re.sub(r'[^A-Za-z0-9_-]+', '_', key.replace('/', '-'))}"
    if len(found) > LONGEST_ID or keys.get(found.lower(), key) != key:
        digest = hashlib.sha256(f"{part.name}/{key}".encode(errors="surrogateescape")).hexdigest()
        found = f"{found[:LONGEST_ID]}-{digest[:12]}"
    if found.lower() in keys:
        raise TaaeError(f"{part.address}: sample {printable(key)} is there twice")
    keys[found.lower()] = key
    return found


def decode(
    batch: Sequence[Encoded], loudness: float, min_seconds: float, max_seconds: float, **_: Any
) -> list[Outcome]:
    """Decode and normalise the samples of a batch, to `loudness` in LUFS."""
    target = Target(loudness, min_seconds)
    return [read(each.audio, each.label, target, max_seconds) for each in batch]
