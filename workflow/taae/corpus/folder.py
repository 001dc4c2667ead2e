"""A folder of recordings of any layout; speakers by rule or by a manifest."""

from __future__ import annotations

import csv
import random
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from taae.corpus import recordings
from taae.corpus.recordings import (
    SUFFIXES,
    Recording,
    audio_folder,
    find_audio,
    limit_test,
    utterance_ids,
)
from taae.corpus.utterance import SPLITS, Label, Plan, printable
from taae.utils.errors import TaaeError
from taae.utils.log import log


@dataclass(frozen=True, slots=True)
class Entry:
    """A file relative to the corpus folder, its speaker, and its split where it was given."""

    path: str
    speaker: str
    split: str | None = None


def plan(corpus: dict[str, Any]) -> Plan:
    """Plan a corpus of the files below `corpus.folder.path`.

    Raises:
        TaaeError: what is wrong with the folder, the manifest, or the speakers.
    """
    settings = corpus["folder"]
    folder = audio_folder(settings["path"], "corpus.folder.path")
    if settings["manifest"]:
        entries = read_manifest(Path(settings["manifest"]), folder)
    else:
        entries = scan(folder, settings["speaker"])
    if entries[0].split is None:
        entries = draw_splits(entries, settings, corpus["seed"])
    paths = [entry.path for entry in entries]
    ids = utterance_ids(paths, [str(PurePosixPath(path).with_suffix("")) for path in paths])
    found = [
        Recording(
            entry.path, Label(name, entry.speaker, str(entry.split), printable(entry.path), text="")
        )
        for entry, name in zip(entries, ids, strict=True)
    ]
    kept = limit_test(found, settings["test_utterances"], corpus["seed"])
    if len(kept) < len(found):
        log(
            f"corpus: {len(found) - len(kept)} test files are left out:"
            f" corpus.folder.test_utterances is {settings['test_utterances']} per speaker"
        )
    return recordings.plan(kept, folder, corpus)


def scan(folder: Path, rule: str) -> list[Entry]:
    """Return every audio file below `folder` with its speaker by `rule`, sorted by path."""
    paths = find_audio(folder)
    if not paths:
        raise TaaeError(f"{folder}: no audio files ({', '.join(SUFFIXES)}) in this folder")
    speaker_of = _rule(rule, folder)
    entries, silent = [], []
    for path in paths:
        speaker = speaker_of(path)
        if speaker:
            entries.append(Entry(str(path), printable(speaker)))
        else:
            silent.append(path)
    if silent:
        raise TaaeError(
            f"config: corpus.folder.speaker: '{rule}' finds no speaker in {len(silent)} of"
            f" {len(paths)} paths, first in {printable(str(silent[0]))}"
        )
    return entries


def _rule(rule: str, folder: Path) -> Callable[[Path], str | None]:
    """Return the function from a relative path to its speaker."""
    if rule == "parent":
        return lambda path: path.parent.name or folder.resolve().name
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise TaaeError(
            f"config: corpus.folder.speaker: '{rule}' is no regular expression ({error})"
        ) from None
    if pattern.groups != 1:
        raise TaaeError(
            f"config: corpus.folder.speaker: '{rule}' has {pattern.groups} groups; the speaker is"
            " what its one group matches, or say 'parent' for the name of the file's folder"
        )

    def search(path: Path) -> str | None:
        match = pattern.search(path.as_posix())
        return match and match[1]

    return search


def read_manifest(manifest: Path, folder: Path) -> list[Entry]:
    """Read a CSV with the columns path and speaker, optionally split; sorted by path.

    Raises:
        TaaeError: names the line that is wrong.
    """
    entries: dict[str, Entry] = {}
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            columns = rows.fieldnames or []
            if not {"path", "speaker"} <= set(columns):
                raise TaaeError(
                    f"{manifest}: needs the columns path and speaker; has {', '.join(columns)}"
                )
            for row in rows:
                try:
                    entry = _entry(row, folder)
                    if entry.path in entries:
                        raise TaaeError(f"{entry.path} is listed twice")
                except TaaeError as error:
                    raise TaaeError(f"{manifest}, line {rows.line_num}: {error}") from None
                entries[entry.path] = entry
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TaaeError(f"{manifest}: not a readable CSV ({error})") from error
    if not entries:
        raise TaaeError(f"{manifest}: lists no files")
    # As paths are sorted: folder by folder.
    return [entries[path] for path in sorted(entries, key=lambda path: path.split("/"))]


def _entry(row: dict[str, str], folder: Path) -> Entry:
    if not row["path"] or not row["speaker"]:
        raise TaaeError("path or speaker is empty")
    path = Path(row["path"])
    try:
        found = (folder / path).is_file()
    except OSError as error:  # a name that cannot be
        raise TaaeError(f"{printable(row['path'])}: {error.strerror}") from None
    if not found:
        raise TaaeError(f"{folder / path}: no such file")
    split = row.get("split")
    if "split" in row and split not in SPLITS:
        raise TaaeError(f"split '{split}' is none of {', '.join(SPLITS)}")
    # Rows repeat their speakers and splits: one string for all of a kind.
    return Entry(str(path), sys.intern(printable(row["speaker"])), split and sys.intern(split))


def draw_splits(entries: list[Entry], settings: dict[str, Any], seed: int) -> list[Entry]:
    """Draw the speakers of validation and test at random; the others are for training.

    Raises:
        TaaeError: there are too few speakers.
    """
    speakers = sorted({entry.speaker for entry in entries})
    validation, test = settings["validation_speakers"], settings["test_speakers"]
    if len(speakers) < validation + test + 1:
        some = ", ".join(speakers[:5])
        raise TaaeError(
            f"corpus: {len(speakers)} speaker{'s' if len(speakers) > 1 else ''}"
            f" ({some}{', ...' if len(speakers) > 5 else ''}):"
            f" too few for {validation} validation, {test} test and at least 1 training speakers;"
            " lower corpus.folder.validation_speakers and corpus.folder.test_speakers, check"
            " corpus.folder.speaker, or give the splits in a manifest"
            " (corpus.folder.manifest with a column split)"
        )
    random.Random(f"{seed}/speakers").shuffle(speakers)
    split_of = dict.fromkeys(speakers, "train")
    split_of |= dict.fromkeys(speakers[:test], "test")
    split_of |= dict.fromkeys(speakers[test : test + validation], "validation")
    return [Entry(entry.path, entry.speaker, split_of[entry.speaker]) for entry in entries]
