"""Length generalisation: the test speech decoded in pieces of other lengths than in training.

Every length holds the same samples. At one length they are compared as they were decoded in pieces
of that length and of the home length, which is near the training's: both decodings are cut alike,
into pieces of the shorter of the two, and scored. So what is said cannot differ, only the length.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from taae.corpus.store import Split
from taae.evaluation.config import Speaker
from taae.evaluation.decode import Coder
from taae.evaluation.scoring.score import TEXT, score_folders
from taae.utils.audio import write_flac
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv, write_csv
from taae.utils.log import log
from taae.utils.sample_rate import SAMPLE_RATE

Audio = NDArray[np.float32]


def score_lengths(
    code: Coder,
    corpus: Path,
    seconds: Sequence[float],
    output: Path,
    *,
    home: float,
    names: Sequence[str],
    max_seconds: float,
    labels: dict[str, str | int | float],
    speaker_weights: Speaker | None = None,
) -> None:
    """Decode every speaker's stream in pieces of each of `seconds`, among them `home`; score.

    A stream is the speaker's test utterances end to end, as long as the longest length: repeated
    where they are shorter in all, else cut. Writes the rows of `score_folders` with two columns
    before them: `seconds`, of the pieces that were decoded, and `cut`, of the pieces that were
    scored. A metric that a piece is too short or too silent for has its status and no value.
    """
    counts = {length: _samples(length) for length in seconds}
    cuts = {length: {min(length, home)} for length in seconds}
    cuts[home] = {min(length, home) for length in seconds}
    longest = max(counts.values())
    speakers = {}
    with tempfile.TemporaryDirectory() as scratch:
        for speaker, name, spoken in streams(Split.open(corpus, "test")):
            for length, scored in cuts.items():
                sizes = {cut: _samples(cut) for cut in scored}
                whole = max(whole_pieces(longest, size) for size in sizes.values())
                decoded = in_pieces(code, spoken, counts[length], whole)
                for cut, size in sizes.items():
                    folder = Path(scratch, f"{length}-{cut}")
                    for number in range(whole_pieces(longest, size) // size):
                        place = slice(number * size, (number + 1) * size)
                        utterance = f"{name}-{number:04d}"
                        speakers[utterance] = speaker
                        reference = np.resize(spoken, place.stop)[place]
                        write_flac(folder / "reference" / f"{utterance}.flac", reference)
                        write_flac(folder / "decoded" / f"{utterance}.flac", decoded[place])
        tables = []
        for length, scored in cuts.items():
            for cut in sorted(scored):
                folder = Path(scratch, f"{length}-{cut}")
                score_folders(
                    folder / "reference",
                    folder / "decoded",
                    folder / "scores.csv",
                    names=names,
                    max_failed=1.0,
                    max_seconds=max_seconds,
                    labels=labels,
                    speakers=speakers,
                    speaker_weights=speaker_weights,
                )
                table = read_csv(folder / "scores.csv", ["run"], TEXT)
                table.insert(0, "seconds", length)
                table.insert(1, "cut", cut)
                tables.append(table)
                log(f"decoded in {length:g} s, scored in {cut:g} s: {len(table)} rows")
    write_csv(pd.concat(tables, ignore_index=True), output)


def streams(split: Split) -> Iterator[tuple[str, str, Audio]]:
    """Yield each speaker, the name of the first utterance, and all utterances end to end."""
    places = defaultdict(list)
    for index, record in enumerate(split.utterances):
        places[record.speaker].append(index)
    for speaker, own in places.items():
        spoken = np.concatenate([split.audio(index) for index in own])
        yield speaker, split.utterances[own[0]].utterance, spoken


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
