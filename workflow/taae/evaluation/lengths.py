"""Length generalisation: the test speech at other lengths than the model was trained on."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from taae.corpus.store import Record, Split
from taae.corpus.utterance import Label, Utterance
from taae.corpus.writer import write_store
from taae.evaluation.decode import decode_split
from taae.evaluation.decoded import AUDIO, write_reference
from taae.evaluation.scoring.score import score_folders
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv, write_csv
from taae.utils.log import log
from taae.utils.sample_rate import SAMPLE_RATE


def score_lengths(
    model: Path,
    corpus: Path,
    seconds: Sequence[float],
    output: Path,
    *,
    names: Sequence[str],
    max_seconds: float,
    labels: dict[str, str | int | float],
    precision: str = "float32",
    threads: int = 1,
    device: str = "cpu",
) -> None:
    """Decode and score the test speech recut to each of `seconds`.

    Writes the rows of `score_folders` for all lengths, with the column `seconds` before them. A
    metric that a length is too short or too long for has its status and no value.
    """
    tables = []
    for length in seconds:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            recut(corpus, length, folder)
            write_reference(folder, folder / "reference")
            decode_split(
                model,
                folder,
                folder / "decoded",
                precision=precision,
                threads=threads,
                device=device,
            )
            records = Split.open(folder, "test").utterances
            score_folders(
                folder / "reference" / AUDIO,
                folder / "decoded" / AUDIO,
                folder / "scores.csv",
                names=names,
                max_failed=1.0,
                max_seconds=max_seconds,
                labels=labels,
                speakers={record.utterance: record.speaker for record in records},
            )
            table = read_csv(folder / "scores.csv", ["run"], ["utterance", "speaker"])
        table.insert(0, "seconds", length)
        tables.append(table)
        log(f"{length:g} s: {len(table)} rows")
    write_csv(pd.concat(tables, ignore_index=True), output)


def recut(corpus: Path, seconds: float, output: Path) -> None:
    """Write a corpus whose test split has one utterance of exactly `seconds` per speaker.

    The speaker's test utterances are laid end to end, repeated where they are too short, and cut:
    nothing is padded, and every length holds the same voices.
    """
    samples = round(seconds * SAMPLE_RATE)
    if samples < 1:
        raise TaaeError(f"lengths: {seconds} s is no length")
    split = Split.open(corpus, "test")
    speakers: defaultdict[str, list[Record]] = defaultdict(list)
    for record in split.utterances:
        speakers[record.speaker].append(record)
    with write_store(output, {"recut": seconds}, ["test"]) as store:
        for speaker, records in speakers.items():
            spoken = np.concatenate([split.samples[r.start : r.start + r.samples] for r in records])
            first = records[0]
            label = Label(f"{first.utterance}-{seconds:g}s", speaker, "test", first.source, "")
            cut = np.resize(spoken, samples)
            store.add(Utterance(label, cut, first.loudness, first.gain_db, False, SAMPLE_RATE))
