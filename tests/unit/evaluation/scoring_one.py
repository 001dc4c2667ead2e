"""One pair of signals through `score_folders`, as files."""

import pandas as pd
import soundfile

from taae.evaluation.config import Speaker
from taae.evaluation.scoring.score import Scoring, score_folders
from tests.unit.evaluation.speechlike import RATE


def score(folder, names, reference, degraded, speaker_weights=None):
    """Return the rows by metric."""
    for side, signal in {"reference": reference, "decoded": degraded}.items():
        (folder / side).mkdir(exist_ok=True)
        soundfile.write(folder / side / "a.wav", signal, RATE, subtype="FLOAT")
    score_folders(
        *(folder / side for side in ("reference", "decoded")), folder / "scores.csv",
        Scoring(names, 1.0, 30.0, speaker=speaker_weights or Speaker()),
    )  # fmt: skip
    return pd.read_csv(folder / "scores.csv").set_index("metric")
