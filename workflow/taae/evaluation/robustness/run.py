"""Scores of a codec under hard conditions, without training: rule robustness."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from taae.corpus.store import Split
from taae.evaluation.decode import Halves
from taae.evaluation.robustness.conditions import Condition, conditions
from taae.evaluation.robustness.config import SILENCE, Robustness
from taae.evaluation.robustness.silence import silence_levels
from taae.evaluation.robustness.trials import Trials
from taae.evaluation.scoring.score import Labels, Scoring
from taae.evaluation.scoring.score_audio import Decoded, score_audio
from taae.utils.files import write_csv
from taae.utils.log import log


def score_robustness(
    codec: Halves,
    corpus: Path,
    settings: Robustness,
    output: Path,
    scoring: Scoring,
    labels: Labels,
) -> None:
    """Score the test utterances under every condition; no audio is kept.

    Writes the rows of `score_folders` with three columns before them: `condition` and `amount`, see
    `taae.evaluation.robustness.conditions`, and `codes_changed`, see `Trial.changed`. Scores are
    against what the codec was given: the altered input for gain, noise and band, else the clean
    one. Where silence is asked for, a second file has the rows of `silence_levels`.
    """
    trials = Trials(codec, Split.open(corpus, "test"), settings)
    tables = [_scored(trials, condition, scoring, labels) for condition in conditions(settings)]
    if settings.silence:
        levels = silence_levels(codec, settings.seed)
        levels = levels.assign(variant=labels["variant"], seed=labels["seed"])
        write_csv(
            levels[["variant", "seed", *levels.columns[:-2]]],
            output.with_name(SILENCE + output.name),
        )
    write_csv(pd.concat(tables, ignore_index=True), output)


def _scored(trials: Trials, condition: Condition, scoring: Scoring, labels: Labels) -> pd.DataFrame:
    changed = {}

    def decoded() -> Iterator[Decoded]:
        for record, given, audio, share in trials.under(condition):
            changed[record.utterance] = share
            yield Decoded(record.utterance, record.speaker, given, audio)

    table = score_audio(decoded(), scoring, labels)
    table.insert(0, "condition", condition.name)
    table.insert(1, "amount", condition.amount)
    table.insert(2, "codes_changed", table["utterance"].map(changed))
    log(f"{condition.name} {condition.amount:g}: {len(table)} rows")
    return table
