"""Scoring against calling speechmos, pesq and pystoi one after another in one process."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from taae.benchmark.speech import speech_split
from taae.benchmark.timing import medians, ready, report
from taae.corpus.store import Split
from taae.evaluation.metrics import METRICS
from taae.evaluation.scoring.score import score_folders
from taae.utils.sample_rate import SAMPLE_RATE

NAMES = [name for name in METRICS if name != "mosnet"]  # it needs weights
SPEAKER = "anyone"  # the folder that the files lie in: one without would be warned of
JOINED = 2  # built-in sentences in an utterance: 8 s, about as long as those of read speech
SNR = 15.0  # dB of the white noise that stands for a codec


def score(corpus: Path | None = None, workers: int = 2, rounds: int = 3) -> dict[str, Any]:
    """Measure in turns, print a table and then one JSON line of figures; return these.

    Ours is `taae score` with every metric but MOSNet, the start of its processes and all files
    included. The others are loaded before, and compute less: DNSMOS, PESQ twice, STOI twice.

    Args:
        corpus: folder whose test split is scored; without one, built-in speech is prepared.
        workers: processes of ours, beside a run with one.
        rounds: after one that is not counted; figures are medians.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with speech_split(corpus) as data:
            seconds = write_pairs(data, folder, 1 if corpus else JOINED)
        arms: dict[str, Callable[[], float]] = {
            "one after another": partial(_one_after_another, folder),
            "taae, one process": partial(_ours, folder, 1),
            f"taae, --jobs {workers}": partial(_ours, folder, workers),
        }
        cpus: dict[str, list[float]] = {arm: [] for arm in arms}

        def run(arm: str) -> None:
            cpus[arm].append(arms[arm]())

        works = {arm: ready(partial(run, arm)) for arm in arms}
        walls = medians(works, least=rounds, most=rounds)
    print(f"{seconds:.0f} s of audio; medians of {rounds} rounds in turns")
    for arm, wall in walls.items():
        cpu = statistics.median(cpus[arm][1:])
        print(
            f"{arm:20} {seconds / wall:6.1f} audio-s/s  {seconds / cpu:6.1f} audio-s per CPU-s"
            f"  {wall:6.1f} s"
        )
    naive, one, several = walls.values()
    return report(
        {
            "audio_s": round(seconds, 1),
            "workers": workers,
            "audio_s_per_s": round(seconds / several, 2),
            "one_worker_audio_s_per_s": round(seconds / one, 2),
            "naive_audio_s_per_s": round(seconds / naive, 2),
            "speedup": round(naive / several, 2),
        }
    )


def write_pairs(data: Split, folder: Path, joined: int = 1, count: int | None = None) -> float:
    """Write utterances of a split as reference/ and, with noise, as decoded/; return their seconds.

    Args:
        data: the split.
        folder: of the two.
        joined: utterances that follow each other and make one.
        count: utterances that are written; None: all.
    """
    rng = np.random.default_rng(0)
    samples = 0
    for side in ("reference", "decoded"):
        (folder / side / SPEAKER).mkdir(parents=True)
    for index in range(0, count or len(data.utterances), joined):
        clean = np.concatenate([data.audio(index + place) for place in range(joined)])
        noise = rng.normal(size=clean.size) * clean.std() * 10 ** (-SNR / 20)
        for side, audio in (("reference", clean), ("decoded", clean + noise)):
            path = folder / side / SPEAKER / f"{index:04}.flac"
            soundfile.write(path, np.clip(audio, -1, 1), SAMPLE_RATE)
        samples += clean.size
    return samples / SAMPLE_RATE


def _one_after_another(folder: Path) -> float:
    """Score as a script would that follows each package's README; return the CPU seconds."""
    from pesq import pesq
    from pystoi import stoi
    from speechmos import dnsmos

    start = time.process_time()
    for path in sorted((folder / "reference" / SPEAKER).iterdir()):
        reference, rate = soundfile.read(path)
        decoded, _ = soundfile.read(folder / "decoded" / SPEAKER / path.name)
        dnsmos.run(decoded, rate)
        for mode in ("wb", "nb"):
            pesq(rate, reference, decoded, mode)
        for extended in (False, True):
            stoi(reference, decoded, rate, extended=extended)
    return time.process_time() - start


def _ours(folder: Path, workers: int) -> float:
    """Score; return the CPU seconds that the rows state."""
    output = folder / "scores.csv"
    score_folders(
        folder / "reference",
        folder / "decoded",
        output,
        names=NAMES,
        max_failed=0.0,
        max_seconds=30.0,
        workers=workers,
    )
    return float(pd.read_csv(output)["cpu_s"].sum())
