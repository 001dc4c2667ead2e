"""One pair of signals through `score_folders`, as files."""

import pandas as pd
import soundfile

from taae.evaluation.scoring.score import score_folders
from tests.unit.evaluation.speechlike import RATE


def score(folder, names, reference, degraded, speaker_weights=None):
    """Return the rows by metric."""
    for side, signal in {"reference": reference, "decoded": degraded}.items():
        (folder / side).mkdir(exist_ok=True)
        soundfile.write(folder / side / "a.wav", signal, RATE, subtype="FLOAT")
    score_folders(
        *(folder / side for side in ("reference", "decoded")), folder / "scores.csv",
        names=names, max_failed=1.0, max_seconds=30.0, speaker_weights=speaker_weights,
    )  # fmt: skip
    return pd.read_csv(folder / "scores.csv").set_index("metric")
