"""Recordings: finding audio files, naming utterances after them, reading them."""

from __future__ import annotations

import functools
import hashlib
import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taae.corpus.normalise import Target, normalise
from taae.corpus.utterance import Label, Outcome, Plan, Rejected, printable
from taae.utils.audio import RejectedError, read_audio
from taae.utils.errors import TaaeError
from taae.utils.log import log

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
BATCH_FILES, BATCH_BYTES = 16, 4_000_000  # of one job: its audio is held in memory
LONGEST_ID = 120  # characters; file systems end at 255 bytes, and names get suffixes


@dataclass(frozen=True, slots=True)
class Recording:
    """An audio file, relative to the corpus folder, and what its utterance is called."""

    path: str
    label: Label


@dataclass(frozen=True, slots=True)
class Entry:
    """A file relative to the corpus folder, before its utterance has a name."""

    path: str
    speaker: str
    split: str
    text: str = ""


def plan(
    entries: Sequence[Entry], names: Iterable[str], folder: Path, corpus: dict[str, Any]
) -> Plan:
    """Plan the preparation of files below `folder`, in their order, with utterances of `names`."""
    ids = utterance_ids([entry.path for entry in entries], names)
    found = [
        Recording(
            entry.path, Label(name, entry.speaker, entry.split, printable(entry.path), entry.text)
        )
        for entry, name in zip(entries, ids, strict=True)
    ]
    largest = corpus[corpus["kind"]]["test_utterances"]
    kept = limit_test(found, largest, corpus["seed"])
    if len(kept) < len(found):
        log(
            f"corpus: {len(found) - len(kept)} test files are left out:"
            f" test_utterances is {largest} per speaker"
        )
    target, longest = Target(corpus["loudness"], corpus["min_seconds"]), corpus["max_seconds"]
    work = functools.partial(read_batch, folder=folder, target=target, longest=longest)
    jobs: list[list[Recording]] = []
    size = BATCH_BYTES
    for recording in kept:
        if size >= BATCH_BYTES or len(jobs[-1]) == BATCH_FILES:
            jobs.append([])
            size = 0
        jobs[-1].append(recording)
        with suppress(OSError):  # it will be rejected as unreadable
            size += (folder / recording.path).stat().st_size
    return Plan(work, jobs)


def find_audio(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """Return the audio files below `folder`, as sorted paths relative to it.

    Links to files are followed, links to folders are not, so a loop of links ends.
    """

    def fail(error: OSError) -> None:
        raise TaaeError(f"{error.filename}: not a readable folder ({error.strerror})")

    return sorted(
        (Path(parent) / name).relative_to(folder)
        for parent, _, names in os.walk(folder, onerror=fail)
        for name in names
        if Path(name).suffix.lower() in suffixes
    )


def audio_folder(path: str, key: str) -> Path:
    """Return the folder that config key `key` names; a `TaaeError` where there is none."""
    if not path:
        raise TaaeError(f"config: {key} is empty; set {key} to the folder of the audio files")
    folder = Path(path)
    if not folder.is_dir():
        raise TaaeError(f"config: {key}: {path}: no such folder")
    return folder


def utterance_ids(paths: Sequence[Path | str], names: Iterable[str]) -> list[str]:
    """Return a unique, file-name-safe id per file from its name; the paths are distinct.

    Where ids would be equal, also but for case (some file systems would merge them), or too
    long, they end in a hash of the path. An id depends on what it collides with, not on order.
    """
    plain = [
        re.sub(r"[^A-Za-z0-9._-]+", "_", name.replace("/", "-")).lstrip("-.") or "_"
        for name in names
    ]
    counts = Counter(name.lower() for name in plain)
    return [
        name
        if counts[name.lower()] == 1 and len(name) <= LONGEST_ID
        else f"{name[:LONGEST_ID]}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"
        for name, path in zip(plain, paths, strict=True)
    ]


def limit_test(recordings: Sequence[Recording], largest: int, seed: int) -> list[Recording]:
    """Keep at most `largest` test utterances per speaker, drawn at random; the order stays."""
    by_speaker: defaultdict[str, list[str]] = defaultdict(list)
    for recording in recordings:
        if recording.label.split == "test":
            by_speaker[recording.label.speaker].append(recording.label.utterance)
    kept = set()
    for speaker, utterances in by_speaker.items():
        rng = random.Random(f"{seed}/test/{speaker}")
        kept.update(rng.sample(utterances, min(largest, len(utterances))))
    return [
        each for each in recordings if each.label.split != "test" or each.label.utterance in kept
    ]


def read_batch(
    batch: Sequence[Recording], folder: Path, target: Target, longest: float
) -> list[Outcome]:
    """Read and normalise the files of one job, which are below `folder`; `longest` in s."""
    outcomes: list[Outcome] = []
    for recording in batch:
        try:
            audio, rate = read_audio(folder / recording.path, longest)
        except RejectedError as error:
            outcomes.append(Rejected(recording.label, error.reason, error.detail))
        else:
            outcomes.append(normalise(audio, rate, recording.label, target))
    return outcomes
