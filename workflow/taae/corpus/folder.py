"""A folder of recordings of any layout; speakers by rule or by a manifest."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from taae.corpus import recordings
from taae.corpus.recordings import SUFFIXES, Entry, audio_folder, find_audio
from taae.corpus.speakers import draw_speakers, speaker_rule
from taae.corpus.utterance import SPLITS, Plan, printable
from taae.utils.errors import TaaeError
from taae.utils.shipped import shipped

UNDRAWN = ""  # split of a file before the splits are drawn
MANIFEST = "give the splits in a manifest (corpus.folder.manifest with a column split)"


def plan(corpus: dict[str, Any]) -> Plan:
    """Plan a corpus of the files below `corpus.folder.path`.

    Raises:
        TaaeError: what is wrong with the folder, the manifest, or the speakers.
    """
    settings = corpus["folder"]
    folder = audio_folder(settings["path"], "corpus.folder.path")
    if settings["manifest"]:
        entries = read_manifest(Path(shipped(settings["manifest"])), folder)
    else:
        entries = scan(folder, settings["speaker"])
    splits = corpus.get("splits", SPLITS)
    if entries[0].split == UNDRAWN:
        split_of = draw_speakers((entry.speaker for entry in entries), corpus, MANIFEST)
        entries = [
            replace(entry, split=split_of[entry.speaker])
            for entry in entries
            if entry.speaker in split_of
        ]
    entries = [entry for entry in entries if entry.split in splits]
    if not entries:
        raise TaaeError(f"{settings['manifest']}: no file is of split {' or '.join(splits)}")
    names = (str(PurePosixPath(entry.path).with_suffix("")) for entry in entries)
    return recordings.plan(entries, names, folder, corpus)


def scan(folder: Path, rule: str) -> list[Entry]:
    """Return every audio file below `folder` with its speaker by `rule`, sorted by path."""
    top = ""
    if rule == "parent":  # also of a file right in the folder
        rule, top = "([^/]+)/[^/]*$", f"{folder.resolve().name}/"
    pattern = speaker_rule(rule, "corpus.folder.speaker")
    paths = [path.as_posix() for path in find_audio(folder)]
    if not paths:
        raise TaaeError(f"{folder}: no audio files ({', '.join(SUFFIXES)}) in this folder")
    found = ((path, pattern.search(top + path)) for path in paths)
    speakers = {path: match[1] for path, match in found if match and match[1]}
    silent = [path for path in paths if path not in speakers]
    if silent:
        raise TaaeError(
            f"config: corpus.folder.speaker: '{rule}' finds no speaker in {len(silent)} of"
            f" {len(paths)} paths, first in {printable(silent[0])}"
        )
    return [Entry(path, printable(speaker), UNDRAWN) for path, speaker in speakers.items()]


def read_manifest(manifest: Path, folder: Path) -> list[Entry]:
    """Read a CSV with the columns path and speaker, optionally split and text; sorted by path.

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
            splits = SPLITS if "split" in columns else (UNDRAWN,)
            for row in rows:
                path, split = str(Path(row["path"] or "")), str(row.get("split", UNDRAWN))
                problem = None
                if not row["path"] or not row["speaker"]:
                    problem = "path or speaker is empty"
                elif path in entries:
                    problem = f"{path} is listed twice"
                elif split not in splits:
                    problem = f"split '{split}' is none of {', '.join(SPLITS)}"
                elif not _is_file(folder / path):
                    problem = f"{folder / printable(path)}: no such file"
                if problem:
                    raise TaaeError(f"{manifest}, line {rows.line_num}: {problem}")
                # Rows repeat their speakers and splits: one string for all of a kind.
                speaker = sys.intern(printable(row["speaker"]))
                text = printable(row.get("text") or "")
                entries[path] = Entry(path, speaker, sys.intern(split), text)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TaaeError(f"{manifest}: not a readable CSV ({error})") from error
    if not entries:
        raise TaaeError(f"{manifest}: lists no files")
    # As paths are sorted: folder by folder.
    return [entries[path] for path in sorted(entries, key=lambda path: path.split("/"))]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that cannot be
        return False
