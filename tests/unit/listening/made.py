"""A folder of results without a study's run, a listening test of it, and listeners who rate it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from taae.listening.build import write_test
from taae.listening.design import Arm, DesignName, ListeningTest, Trial
from taae.listening.order import checksum, shuffled
from tests.unit.analysis.fake_scores import study

STUDY = study()
ARMS = ["baseline", "window-32", "window-64"]
SPEAKERS, SECONDS, RATE = 6, 1.0, 16_000
Opinion = Callable[[Trial, str], int]  # the rating of an arm; of an AB test, 1 if it is preferred


def results(folder: Path, arms: list[str] = ARMS) -> Path:
    """Write two utterances of each speaker, clean and through arms, which add noise."""
    random = np.random.default_rng(0)
    rows = []
    for speaker in range(SPEAKERS):
        for number in range(2):
            utterance = f"p{speaker}-{number}"
            rows.append({"utterance": utterance, "speaker": f"p{speaker}"})
            clean = random.normal(0, 0.05, int(SECONDS * RATE))
            _write(folder / "reference" / "audio" / f"{utterance}.flac", clean)
            for arm in arms:
                heard = clean + random.normal(0, 0.02, clean.size)
                place = folder / "decoded" / arm / "seed1" / "native" / "audio"
                _write(place / f"{utterance}.flac", heard)
    (folder / "corpus").mkdir(parents=True)
    pd.DataFrame(rows).to_csv(folder / "corpus" / "test.csv", index=False)
    return folder


def _write(path: Path, audio: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, RATE, subtype="PCM_16")


def listening_test(
    folder: Path,
    results: Path,
    design: DesignName,
    names: dict[str, str] | None = None,
    **options: Any,
) -> ListeningTest:
    """Write a test of `ARMS`; `names` gives arms other names."""
    arms = {(names or {}).get(name, name): Arm(f"{name}/seed1", 1, 2400.0) for name in ARMS}
    options = {"n_utterances": 4, "seed": 1, "salt": "secret"} | options
    return write_test(STUDY, results, folder, design, arms, **options)


def rating_file(
    path: Path, test: ListeningTest, listener: str, opinion: Opinion, **changes: Any
) -> Path:
    """Write what a listener's page would save; `changes` are made before the checksum."""
    trials = []
    for trial in test.rated:
        shown = shuffled(trial.signals, test.name, listener, trial.trial)
        ratings = {name: opinion(trial, trial.signals[name]) for name in shown}
        trials.append({"trial": trial.trial, "signals": shown, "ratings": ratings, "seconds": 9})
    content = {"format": "taae-ratings/1", "test": test.name, "listener": listener}
    content |= {"trials": trials, **changes}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | {"checksum": checksum(text)}))
    return path


def careful(trial: Trial, arm: str) -> int:
    """Rate as a listener who passes the screening."""
    return {"hidden_reference": 100, "anchor_7000": 70, "anchor_3500": 30}.get(arm, 50)
