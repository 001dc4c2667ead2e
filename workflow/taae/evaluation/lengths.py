"""Length generalisation: the test speech decoded in pieces of other lengths than in training.

Every length holds the same samples. At one length they are compared as they were decoded in pieces
of that length and of the home length, which is near the training's: both decodings are cut alike,
into pieces of the shorter of the two, and scored. So what is said cannot differ, only the length.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from taae.corpus.store import Split
from taae.evaluation.decode import Coder
from taae.evaluation.decoded_files import Audio
from taae.evaluation.scoring.score import Labels, Scoring
from taae.evaluation.scoring.score_audio import Decoded, score_audio
from taae.utils.errors import TaaeError
from taae.utils.files import write_csv
from taae.utils.log import log
from taae.utils.sample_rate import SAMPLE_RATE


def score_lengths(
    code: Coder,
    corpus: Path,
    seconds: Sequence[float],
    output: Path,
    scoring: Scoring,
    *,
    home: float,
    labels: Labels,
) -> None:
    """Decode every speaker's stream in pieces of each of `seconds`, among them `home`; score.

    A stream is the speaker's test utterances end to end, as long as the longest length: repeated
    where they are shorter in all, else cut. Writes the rows of `score_folders` with two columns
    before them: `seconds`, of the pieces that were decoded, and `cut`, of the pieces that were
    scored. A metric that a piece is too short or too silent for has its status and no value.
    """
    cuts = {length: [min(length, home)] for length in seconds}
    cuts[home] = sorted({min(length, home) for length in seconds})
    samples = {length: _samples(length) for length in seconds}
    longest = max(samples.values())
    spoken = list(streams(Split.open(corpus, "test")))
    tables = []
    for length, scored in cuts.items():
        whole = max(whole_pieces(longest, samples[cut]) for cut in scored)
        decoded = [in_pieces(code, stream.audio, samples[length], whole) for stream in spoken]
        for cut in scored:
            pieces = chain.from_iterable(
                _pieces(stream, audio, samples[cut], longest)
                for stream, audio in zip(spoken, decoded, strict=True)
            )
            table = score_audio(pieces, scoring, labels)
            table.insert(0, "seconds", length)
            table.insert(1, "cut", cut)
            tables.append(table)
            log(f"decoded in {length:g} s, scored in {cut:g} s: {len(table)} rows")
    write_csv(pd.concat(tables, ignore_index=True), output)


class Stream(NamedTuple):
    """All that a speaker says, end to end (samples,); `name` is of the first utterance."""

    speaker: str
    name: str
    audio: Audio


def _pieces(stream: Stream, decoded: Audio, samples: int, longest: int) -> Iterator[Decoded]:
    """Yield a stream and its decoding in whole pieces, as many as hold `longest` samples."""
    for number in range(whole_pieces(longest, samples) // samples):
        place = slice(number * samples, (number + 1) * samples)
        reference = np.resize(stream.audio, place.stop)[place]
        yield Decoded(f"{stream.name}-{number:04d}", stream.speaker, reference, decoded[place])


def streams(split: Split) -> Iterator[Stream]:
    """Yield the stream of each speaker."""
    places = defaultdict(list)
    for index, record in enumerate(split.utterances):
        places[record.speaker].append(index)
    for speaker, own in places.items():
        audio = np.concatenate([split.audio(index) for index in own])
        yield Stream(speaker, split.utterances[own[0]].utterance, audio)


def in_pieces(code: Coder, spoken: Audio, piece: int, samples: int) -> Audio:
    """Return the first `samples` of a stream, decoded in pieces of `piece` samples.

    The stream begins again where it ends, so that every piece is whole and nothing is padded.
    """
    stream = np.resize(spoken, whole_pieces(samples, piece))
    decoded = [code(stream[start : start + piece])[1] for start in range(0, stream.size, piece)]
    return np.concatenate(decoded)[:samples]


def whole_pieces(samples: int, piece: int) -> int:
    """Return the least multiple of `piece` that holds `samples`."""
    return -(-samples // piece) * piece


def _samples(seconds: float) -> int:
    samples = round(seconds * SAMPLE_RATE)
    if samples < 1:
        raise TaaeError(f"lengths: {seconds} s is no length")
    return samples
