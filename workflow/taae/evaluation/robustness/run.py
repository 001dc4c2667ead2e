"""Scores of a codec under hard conditions, without training: rule robustness."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from taae.corpus.store import Split
from taae.evaluation.config import Speaker
from taae.evaluation.decode import Halves
from taae.evaluation.robustness.conditions import Condition, conditions
from taae.evaluation.robustness.config import SILENCE, Robustness
from taae.evaluation.robustness.silence import silence_levels
from taae.evaluation.robustness.trials import Trials
from taae.evaluation.scoring.score import TEXT, score_folders
from taae.utils.audio import write_flac
from taae.utils.files import read_csv, write_csv
from taae.utils.log import log

Labels = dict[str, str | int | float]


def score_robustness(
    codec: Halves,
    corpus: Path,
    settings: Robustness,
    output: Path,
    *,
    max_seconds: float,
    labels: Labels,
    speaker_weights: Speaker | None = None,
) -> None:
    """Score the test utterances under every condition; no audio is kept.

    Writes the rows of `score_folders` with three columns before them: `condition` and `amount`, see
    `taae.evaluation.robustness.conditions`, and `codes_changed`, see `Trial.changed`. Scores are
    against what the codec was given: the altered input for gain, noise and band, else the clean
    one. Where silence is asked for, a second file has the rows of `silence_levels`.
    """
    trials = Trials(codec, Split.open(corpus, "test"), settings)
    scoring: dict[str, Any] = {
        "names": settings.metrics,
        "max_failed": 1.0,
        "max_seconds": max_seconds,
        "labels": labels,
        "speaker_weights": speaker_weights,
    }
    tables = [_scored(trials, condition, scoring) for condition in conditions(settings)]
    if settings.silence:
        levels = silence_levels(codec, settings.seed)
        levels = levels.assign(variant=labels["variant"], seed=labels["seed"])
        write_csv(
            levels[["variant", "seed", *levels.columns[:-2]]],
            output.with_name(SILENCE + output.name),
        )
    write_csv(pd.concat(tables, ignore_index=True), output)


def _scored(trials: Trials, condition: Condition, scoring: dict[str, Any]) -> pd.DataFrame:
    speakers, changed = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for record, given, decoded, share in trials.under(condition):
            speakers[record.utterance] = record.speaker
            changed[record.utterance] = share
            write_flac(folder / "given" / f"{record.utterance}.flac", given)
            write_flac(folder / "decoded" / f"{record.utterance}.flac", decoded)
        score_folders(
            folder / "given",
            folder / "decoded",
            folder / "scores.csv",
            speakers=speakers,
            **scoring,
        )
        table = read_csv(folder / "scores.csv", ["run"], TEXT)
    table.insert(0, "condition", condition.name)
    table.insert(1, "amount", condition.amount)
    table.insert(2, "codes_changed", table["utterance"].map(changed))
    log(f"{condition.name} {condition.amount:g}: {len(table)} rows")
    return table
