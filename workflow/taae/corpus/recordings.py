"""Recordings: finding audio files, naming utterances after them, reading them."""

from __future__ import annotations

import hashlib
import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taae.corpus.normalise import Target, normalise
from taae.corpus.utterance import Kind, Label, Outcome, Plan, Rejected, printable
from taae.utils.audio import RejectedError, read_audio
from taae.utils.errors import TaaeError
from taae.utils.log import log

# The bytes of a second, of speech at 16 kHz: to open 30 million files for their length takes an
# hour where each takes 0.1 ms, and days on a file system of many machines.
BYTES_PER_SECOND = {".wav": 32_000, ".flac": 17_000, ".ogg": 8_000, ".mp3": 8_000}
SUFFIXES = tuple(BYTES_PER_SECOND)
TOGETHER = 16  # files of one job, of which each takes milliseconds
LONGEST_ID = 120  # characters; file systems end at 255 bytes, and names get suffixes


@dataclass(frozen=True, slots=True)
class Recording:
    """An audio file, relative to the corpus folder, its bytes, and what its utterance is called.

    A file of another size is another recording: it is prepared again.
    """

    path: str
    size: int
    label: Label

    @property
    def key(self) -> str:
        """The path."""
        return self.path

    @property
    def seconds(self) -> float:
        """What so many bytes of such a file hold, at 16 kHz."""
        suffix = "." + self.path.rpartition(".")[2].lower()
        return self.size / BYTES_PER_SECOND.get(suffix, BYTES_PER_SECOND[".flac"])


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
            entry.path,
            _size(folder, entry.path),
            Label(name, entry.speaker, entry.split, printable(entry.path), entry.text),
        )
        for entry, name in zip(entries, ids, strict=True)
    ]
    largest = corpus[corpus["kind"]]["test_utterances"]
    kept = limit_test(found, largest, corpus["seed"])
    limits = {name: corpus[name] for name in ("loudness", "min_seconds", "max_seconds")}
    return Plan(kept, {"folder": str(folder), **limits})


def _size(folder: Path, path: str) -> int:
    try:
        return (folder / path).stat().st_size
    except OSError:  # it will be rejected as unreadable
        return 0


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
    chosen = [
        each for each in recordings if each.label.split != "test" or each.label.utterance in kept
    ]
    if len(chosen) < len(recordings):
        log(
            f"corpus: {len(recordings) - len(chosen)} test files are left out:"
            f" test_utterances is {largest} per speaker"
        )
    return chosen


def read_files(
    files: Sequence[Recording],
    folder: str,
    loudness: float,
    min_seconds: float,
    max_seconds: float,
) -> list[Outcome]:
    """Read and normalise files below `folder`, to `loudness` in LUFS."""
    target = Target(loudness, min_seconds)
    return [read(Path(folder, each.path), each.label, target, max_seconds) for each in files]


def read(audio: Path | bytes, label: Label, target: Target, longest: float) -> Outcome:
    """Read and normalise an audio file, or its content; `longest` in s."""
    try:
        samples, rate = read_audio(audio, longest)
    except RejectedError as error:
        return Rejected(label, error.reason, error.detail)
    return normalise(samples, rate, label, target)


def kind(plan: Callable[[dict[str, Any]], Plan]) -> Kind:
    """Return a kind of corpus whose speech is files on the disk, listed by `plan`."""
    return Kind(plan, read_files, Recording, TOGETHER)
