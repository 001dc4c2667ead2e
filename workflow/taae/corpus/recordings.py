"""Recordings: finding audio files, naming utterances after them, reading them."""

from __future__ import annotations

import functools
import hashlib
import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taae.corpus.normalise import Target, normalise
from taae.corpus.utterance import Label, Outcome, Plan, Rejected
from taae.utils.audio import RejectedError, read_audio
from taae.utils.errors import TaaeError

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
BATCH_FILES, BATCH_BYTES = 16, 4_000_000  # of one job: its audio is held in memory
LONGEST_ID = 120  # characters; file systems end at 255 bytes, and names get suffixes


@dataclass(frozen=True, slots=True)
class Recording:
    """An audio file, relative to the corpus folder, and what its utterance is called."""

    path: str
    label: Label


def plan(recordings: Sequence[Recording], folder: Path, corpus: dict[str, Any]) -> Plan:
    """Plan the preparation of recordings below `folder`, in their order."""
    work = functools.partial(
        read_batch, folder=folder, target=Target.of(corpus), longest=corpus["max_seconds"]
    )
    jobs: list[list[Recording]] = [[]]
    size = 0
    inputs = hashlib.sha256()
    for recording in recordings:
        if len(jobs[-1]) == BATCH_FILES or size >= BATCH_BYTES:
            jobs.append([])
            size = 0
        jobs[-1].append(recording)
        try:
            status = (folder / recording.path).stat()
        except OSError:  # it will be rejected as unreadable
            continue
        size += status.st_size
        about = (recording, status.st_size, status.st_mtime_ns)
        inputs.update(repr(about).encode(errors="backslashreplace"))
    return Plan(work, jobs, inputs.hexdigest())


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


def utterance_ids(paths: Sequence[Path | str], names: Sequence[str]) -> list[str]:
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
        recording
        for recording in recordings
        if recording.label.split != "test" or recording.label.utterance in kept
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
