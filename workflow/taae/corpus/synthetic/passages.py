"""The synthetic corpus: eSpeak NG voices read generated sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taae.corpus.normalise import Target, normalise
from taae.corpus.synthetic.espeak import Voice, espeak
from taae.corpus.synthetic.sentences import sentences
from taae.corpus.synthetic.voices import Speaker, draw_speakers
from taae.corpus.utterance import SPLITS, Kind, Label, Outcome, Plan, Utterance
from taae.utils.audio import from_int16
from taae.utils.sample_rate import SAMPLE_RATE

SHORTEST = 2.0  # s; the mean utterance of every voice is longer
SENTENCE = 3.5  # s, on average over the voices
PASSAGE = 120.0  # s of speech that one job makes at most, to bound its memory
SILENCE = 0.1  # s kept before and after speech


@dataclass(frozen=True)
class Passage:
    """Sentences for one voice: all of them, or as many as make `most` seconds of speech."""

    voice: Voice
    labels: list[Label]
    most: float

    @property
    def key(self) -> str:
        """The name of the first utterance."""
        return self.labels[0].utterance

    @property
    def seconds(self) -> float:
        """About how long it is; a sentence takes about 3.5 s."""
        return min(self.most, SENTENCE * len(self.labels))


def plan(corpus: dict[str, Any]) -> Plan:
    """Plan the corpus: its passages are independent of each other."""
    settings, seed = corpus["synthetic"], corpus["seed"]
    counts = {split: settings[split]["voices"] for split in SPLITS}
    speakers = draw_speakers(counts, seed, settings["unseen"])
    texts = sentences(seed)
    jobs: list[Passage] = []
    for speaker in speakers:
        split = settings[speaker.split]
        if speaker.split == "train":
            jobs += _reading(speaker, split["minutes"] * 60 / split["voices"], texts)
        else:
            labels = _labels(speaker, split["utterances"], texts)
            jobs.append(Passage(speaker.voice, labels, math.inf))
    splits = corpus.get("splits", SPLITS)  # with the same sentences as in a corpus of all splits
    jobs = [job for job in jobs if job.labels[0].split in splits]
    return Plan(jobs, {name: corpus[name] for name in ("loudness", "min_seconds")})


def speak_all(passages: Sequence[Passage], loudness: float, min_seconds: float) -> list[Outcome]:
    """Speak passages, to `loudness` in LUFS."""
    target = Target(loudness, min_seconds)
    return [outcome for passage in passages for outcome in speak(passage, target)]


def speak(passage: Passage, target: Target) -> list[Outcome]:
    """Speak a passage. In a fresh process, the same passage gives the same samples."""
    outcomes: list[Outcome] = []
    seconds = 0.0
    with espeak(passage.voice) as library:
        for label in passage.labels:
            if seconds >= passage.most:
                break
            samples = trim(library.speak(label.text), library.sample_rate)
            audio = from_int16(samples).astype(np.float64)[:, None]
            outcome = normalise(audio, library.sample_rate, label, target)
            outcomes.append(outcome)
            if isinstance(outcome, Utterance):
                seconds += len(outcome.samples) / SAMPLE_RATE
    return outcomes


def trim(samples: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    """Cut digital silence before and after speech down to 0.1 s."""
    sounding = np.flatnonzero(samples)
    if len(sounding) == 0:
        return samples
    margin = round(SILENCE * rate)
    return samples[max(0, sounding[0] - margin) : sounding[-1] + 1 + margin]


SYNTHETIC = Kind(plan, speak_all, Passage)  # one passage each: the next would hear of it


def _reading(speaker: Speaker, seconds: float, texts: Iterator[str]) -> list[Passage]:
    """Split `seconds` of speech into passages, each with more sentences than it can need."""
    passages = math.ceil(seconds / PASSAGE)
    each = math.ceil(seconds / passages / SHORTEST)
    labels = _labels(speaker, passages * each, texts)
    return [
        Passage(speaker.voice, labels[start : start + each], seconds / passages)
        for start in range(0, len(labels), each)
    ]


def _labels(speaker: Speaker, count: int, texts: Iterator[str]) -> list[Label]:
    return [
        Label(
            utterance=f"{speaker.name}-{number:04d}",
            speaker=speaker.name,
            split=speaker.split,
            source=str(speaker.voice),
            text=next(texts),
        )
        for number in range(1, count + 1)
    ]
