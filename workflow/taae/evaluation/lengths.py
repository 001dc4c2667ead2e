"""Length generalisation: the test speech at other lengths than the model was trained on."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from taae.corpus.store import Split
from taae.evaluation.decode import Coder
from taae.evaluation.scoring.score import score_folders
from taae.utils.audio import write_flac
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv, write_csv
from taae.utils.log import log
from taae.utils.sample_rate import SAMPLE_RATE


def score_lengths(
    code: Coder,
    corpus: Path,
    seconds: Sequence[float],
    output: Path,
    *,
    names: Sequence[str],
    max_seconds: float,
    labels: dict[str, str | int | float],
) -> None:
    """Decode and score the test speech recut to each of `seconds`.

    Writes the rows of `score_folders` for all lengths, with the column `seconds` before them. A
    metric that a length is too short or too long for has its status and no value.
    """
    split = Split.open(corpus, "test")
    tables = []
    for length in seconds:
        speakers = {}
        with tempfile.TemporaryDirectory() as scratch:
            reference, decoded = Path(scratch, "reference"), Path(scratch, "decoded")
            for speaker, utterance, audio in recut(split, length):
                speakers[utterance] = speaker
                write_flac(reference / f"{utterance}.flac", audio)
                write_flac(decoded / f"{utterance}.flac", code(audio)[1])
            scores = Path(scratch, "scores.csv")
            score_folders(
                reference,
                decoded,
                scores,
                names=names,
                max_failed=1.0,
                max_seconds=max_seconds,
                labels=labels,
                speakers=speakers,
            )
            table = read_csv(scores, ["run"], ["utterance", "speaker"])
        table.insert(0, "seconds", length)
        tables.append(table)
        log(f"{length:g} s: {len(table)} rows")
    write_csv(pd.concat(tables, ignore_index=True), output)


def recut(split: Split, seconds: float) -> Iterator[tuple[str, str, NDArray[np.float32]]]:
    """Yield each speaker with a name and the audio of an utterance of exactly `seconds`.

    The speaker's utterances are laid end to end, repeated where they are too short, and cut:
    nothing is padded, and every length holds the same voices.
    """
    samples = round(seconds * SAMPLE_RATE)
    if samples < 1:
        raise TaaeError(f"lengths: {seconds} s is no length")
    places = defaultdict(list)
    for index, record in enumerate(split.utterances):
        places[record.speaker].append(index)
    for speaker, own in places.items():
        spoken = np.concatenate([split.audio(index) for index in own])
        name = f"{split.utterances[own[0]].utterance}-{seconds:g}s"
        yield speaker, name, np.resize(spoken, samples)
