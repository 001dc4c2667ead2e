"""Scores of audio that is not kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from taae.evaluation.decoded_files import Audio
from taae.evaluation.scoring.score import TEXT, Labels, Scoring, score_folders
from taae.utils.audio import write_flac
from taae.utils.files import read_csv


class Decoded(NamedTuple):
    """An utterance by its name: what it is compared with, and what came out; both (samples,)."""

    utterance: str
    speaker: str
    reference: Audio
    decoded: Audio


def score_audio(utterances: Iterable[Decoded], scoring: Scoring, labels: Labels) -> pd.DataFrame:
    """Return the rows that `score_folders` writes; both sides are 16-bit files meanwhile."""
    speakers = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sides = folder / "reference", folder / "decoded"
        for utterance, speaker, *audio in utterances:
            speakers[utterance] = speaker
            for side, samples in zip(sides, audio, strict=True):
                write_flac(side / f"{utterance}.flac", samples)
        output = folder / "scores.csv"
        score_folders(*sides, output, scoring, labels=labels, speakers=speakers)
        return read_csv(output, ["run"], TEXT)
