"""Length generalisation: the test speech at other lengths than the model was trained on."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from taae.corpus.store import Split
from taae.evaluation.decode import decode_split
from taae.evaluation.decoded import AUDIO, write_reference
from taae.evaluation.recut import recut
from taae.evaluation.scoring.score import score_folders
from taae.utils.files import read_csv, write_csv
from taae.utils.log import log


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
