"""How much speech a study has, in seconds and utterances: by its files, or as it is told."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from taae.corpus.config import MAIN
from taae.corpus.prepare import KINDS
from taae.corpus.recordings import Recording, audio_folder
from taae.corpus.utterance import SPLITS
from taae.study.study import Study
from taae.study.tests import unaltered
from taae.utils.errors import TaaeError

SPOKEN = 4.4  # s; an utterance of the synthetic corpus, mean
RECORDED = 15.0  # s; MLS is cut to segments of 10 to 20 s (Pratap et al., 2020)
OPENED = 1000  # files of a split, of which the lengths of all others are estimated
SPEAKERS = 40  # of dev-clean, and of test-clean


@dataclass(frozen=True)
class Amount:
    """Speech of a corpus or a test set, by split; `basis` says where its numbers are from."""

    seconds: dict[str, float]
    utterances: dict[str, float]
    basis: str

    @property
    def hours(self) -> float:
        """All splits together."""
        return sum(self.seconds.values()) / 3600

    def part(self, count: int) -> Amount:
        """One of so many equal parts."""
        seconds, utterances = (
            {split: whole / count for split, whole in each.items()}
            for each in (self.seconds, self.utterances)
        )
        return Amount(seconds, utterances, self.basis)


def speech_by_test(study: Study, train_hours: float = 0.0) -> dict[str, Amount]:
    """Return the speech by test set; of the main one that of the whole corpus.

    `train_hours` as in `speech_of`.
    """
    found = {MAIN: speech_of(study.corpus, train_hours)}
    for name in study.tests:
        origin = unaltered(study.tests, name)
        if origin not in found:
            found[origin] = speech_of(study.tests[origin].chosen())
        found.setdefault(name, _test_of(found[origin]))
    return found


def _test_of(speech: Amount) -> Amount:
    seconds, utterances = ({"test": each["test"]} for each in (speech.seconds, speech.utterances))
    return Amount(seconds, utterances, speech.basis)


def speech_of(corpus: dict[str, Any], train_hours: float = 0.0) -> Amount:
    """Return the speech that a corpus or a test set has, by its settings or its files.

    Args:
        corpus: the resolved section, or a test set.
        train_hours: of recordings that are not here; 0: they are here.

    Raises:
        TaaeError: there are no files yet.
    """
    splits = corpus.get("splits", SPLITS)
    if corpus["kind"] == "synthetic":
        return _synthetic(corpus["synthetic"], splits)
    if train_hours:
        return _told(corpus[corpus["kind"]], train_hours)
    return _recorded(corpus, splits)


def _synthetic(settings: dict[str, Any], splits: Sequence[str]) -> Amount:
    seconds = {
        split: settings[split]["voices"] * settings[split]["utterances"] * SPOKEN
        for split in ("validation", "test")
    }
    seconds = {"train": settings["train"]["minutes"] * 60} | seconds
    seconds = {split: seconds[split] for split in splits}
    return Amount(seconds, {name: spent / SPOKEN for name, spent in seconds.items()}, "settings")


def _told(settings: dict[str, Any], train_hours: float) -> Amount:
    """Return so many hours, in utterances of `RECORDED`, and as much to validate as to test."""
    tested = settings.get("test_speakers", SPEAKERS) * settings.get("test_utterances", 1)
    utterances = {"train": 3600 * train_hours / RECORDED, "validation": tested, "test": tested}
    seconds = {split: RECORDED * count for split, count in utterances.items()}
    return Amount(seconds, utterances, f"as told, at {RECORDED:g} s each")


def _recorded(corpus: dict[str, Any], splits: Sequence[str]) -> Amount:
    kind = corpus["kind"]
    if kind not in ("folder", "librispeech"):
        raise TaaeError(
            f"plan: how much speech a {kind} has is not known before it is read: give --train-hours"
        )
    folder = audio_folder(corpus[kind]["path"], f"corpus.{kind}.path")
    files: defaultdict[str, list[Recording]] = defaultdict(list)
    for item in KINDS[kind].plan(corpus).items:
        assert isinstance(item, Recording)
        files[item.label.split].append(item)
    seconds = {split: _seconds(folder, files[split]) for split in splits}
    if seconds.get("train") == 0:
        raise TaaeError("plan: the corpus has no training audio")
    utterances = {split: float(len(files[split])) for split in splits}
    opened = "all" if max(utterances.values()) <= OPENED else "some"
    return Amount(seconds, utterances, f"{opened} files opened")


def _seconds(folder: Path, files: Sequence[Recording]) -> float:
    """Return the length of all files, from `OPENED` of them and the bytes of all."""
    some = files[:: max(1, math.ceil(len(files) / OPENED))]
    measured = 0.0
    for file in some:
        try:
            measured += soundfile.info(folder / file.path).duration
        except (OSError, soundfile.SoundFileError):
            continue  # the corpus job rejects it
    by_size = sum(file.seconds for file in some)
    return measured * sum(file.seconds for file in files) / by_size if by_size else 0.0
