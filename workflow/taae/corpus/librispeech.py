"""An unpacked LibriSpeech: SUBSET/SPEAKER/CHAPTER/*.flac with *.trans.txt (Panayotov 2015)."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from taae.corpus import recordings
from taae.corpus.recordings import Entry, audio_folder, find_audio
from taae.corpus.utterance import SPLITS, Plan, printable
from taae.utils.errors import TaaeError


def plan(corpus: dict[str, Any]) -> Plan:
    """Plan a corpus of the configured subsets.

    Raises:
        TaaeError: a subset is missing, empty, or serves two splits.
    """
    settings = corpus["librispeech"]
    folder = audio_folder(settings["path"], "corpus.librispeech.path")
    split_of: dict[str, str] = {}
    for split in corpus.get("splits", SPLITS):
        for subset in settings[split]:
            if split_of.setdefault(subset, split) != split:
                raise TaaeError(
                    f"config: corpus.librispeech: {subset} serves {split_of[subset]} and {split}"
                )
    entries = [
        entry
        for subset, split in sorted(split_of.items())
        for entry in _entries(folder, subset, split)
    ]
    names = (PurePosixPath(entry.path).stem for entry in entries)
    return recordings.plan(entries, names, folder, corpus)


def _entries(folder: Path, subset: str, split: str) -> list[Entry]:
    """Return the files of a subset with their texts."""
    if not (folder / subset).is_dir():
        there = sorted(path.name for path in folder.glob("[!.]*") if path.is_dir())
        raise TaaeError(
            f"config: corpus.librispeech: {folder} has no folder {subset}; it has"
            f" {', '.join(there) or 'none'}. corpus.librispeech.download: true fetches it"
        )
    paths = find_audio(folder / subset, [".flac"])
    if not paths:
        raise TaaeError(f"{folder / subset}: no .flac files in this folder")
    texts: dict[str, str] = {}
    for file in (folder / subset).glob("*/*/*.trans.txt"):
        for line in file.read_text(encoding="utf-8").splitlines():
            name, _, text = line.partition(" ")
            texts[name] = text
    for path in paths:
        if len(path.parts) != 3:
            raise TaaeError(
                f"{folder / subset / path}: LibriSpeech is SUBSET/SPEAKER/CHAPTER/*.flac"
            )
    return [
        Entry(
            str(subset / path),
            speaker=path.parts[0],
            split=split,
            text=printable(texts.get(path.stem, "")),
        )
        for path in paths
    ]
