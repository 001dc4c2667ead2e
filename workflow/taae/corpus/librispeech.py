"""An unpacked LibriSpeech: SUBSET/SPEAKER/CHAPTER/*.flac with *.trans.txt (Panayotov 2015)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taae.corpus import recordings
from taae.corpus.recordings import Recording, audio_folder, find_audio, limit_test, utterance_ids
from taae.corpus.utterance import SPLITS, Label, Plan, printable
from taae.utils.errors import TaaeError


def plan(corpus: dict[str, Any]) -> Plan:
    """Plan a corpus of the configured subsets.

    Raises:
        TaaeError: a subset is missing, empty, or serves two splits.
    """
    settings = corpus["librispeech"]
    folder = audio_folder(settings["path"], "corpus.librispeech.path")
    split_of: dict[str, str] = {}
    for split in SPLITS:
        for subset in settings[split]:
            if subset in split_of:
                raise TaaeError(
                    f"config: corpus.librispeech: {subset} serves {split_of[subset]} and {split}"
                )
            split_of[subset] = split
    files = {path: split for subset, split in split_of.items() for path in _files(folder, subset)}
    paths = sorted(files)
    texts: dict[str, str] = {}
    for chapter in sorted({path.parent for path in paths}):
        texts |= _transcripts(folder / chapter)
    found = [
        Recording(
            str(path),
            Label(
                utterance=name,
                speaker=path.parts[1],
                split=files[path],
                source=printable(str(path)),
                text=printable(texts.get(path.stem, "")),
            ),
        )
        for path, name in zip(
            paths, utterance_ids(paths, [path.stem for path in paths]), strict=True
        )
    ]
    kept = limit_test(found, settings["test_utterances"], corpus["seed"])
    return recordings.plan(kept, folder, corpus)


def _files(folder: Path, subset: str) -> list[Path]:
    """Return the files of a subset, relative to `folder`."""
    if not (folder / subset).is_dir():
        there = sorted(path.name for path in folder.glob("[!.]*") if path.is_dir())
        raise TaaeError(
            f"config: corpus.librispeech: {folder} has no folder {subset}; it has"
            f" {', '.join(there) or 'none'}. corpus.librispeech.download: true fetches it"
        )
    paths = [Path(subset) / path for path in find_audio(folder / subset, [".flac"])]
    for path in paths:
        if len(path.parts) != 4:
            raise TaaeError(f"{folder / path}: LibriSpeech is SUBSET/SPEAKER/CHAPTER/*.flac")
    if not paths:
        raise TaaeError(f"{folder / subset}: no .flac files in this folder")
    return paths


def _transcripts(chapter: Path) -> dict[str, str]:
    """Return the text of each utterance of a chapter, by its id."""
    lines = [
        line.split(maxsplit=1)
        for path in sorted(chapter.glob("*.trans.txt"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return {line[0]: line[1] for line in lines if len(line) == 2}
