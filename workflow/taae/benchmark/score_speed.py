"""Scoring against calling speechmos, pesq and pystoi one after another in one process."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import soundfile

from taae.benchmark.shared import medians, report, speech_corpus, write_pairs
from taae.evaluation.metrics import STANDARD
from taae.evaluation.scoring.score import score_folders
from taae.utils.options import Count

NAMES = [name for name in STANDARD if name != "mosnet"]  # it needs weights
ROUNDS = 3  # that count
JOINED = 2  # sentences in an utterance: 8 s, about as long as those of read speech


def score(*, jobs: Count = 2) -> None:
    """Time `taae score` against the packages of its metrics, one after another.

    Ours is `taae score` with every metric but MOSNet and the optional ones, the start of its
    processes and all files included. The others are loaded before, and compute less:
    DNSMOS, PESQ twice, STOI twice.

    Args:
        jobs: processes of ours, beside a run with one.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with speech_corpus() as corpus:
            seconds = write_pairs(corpus, folder, JOINED)
        pair = folder / "reference", folder / "decoded"
        ours = partial(score_folders, *pair, folder / "scores.csv", names=NAMES)
        ours = partial(ours, max_failed=0.0, max_seconds=30.0)
        works = {
            "one after another": partial(_one_after_another, *pair),
            "taae, one process": ours,
            f"taae, --jobs {jobs}": partial(ours, workers=jobs),
        }
        walls = medians(works, seconds=0, least=ROUNDS)
    print(f"{seconds:.0f} s of audio; medians of {ROUNDS} rounds in turns")
    for arm, wall in walls.items():
        print(f"{arm:20}  {seconds / wall:6.1f} audio-s/s  {wall:6.1f} s")
    naive, one, several = walls.values()
    figures = {
        "audio_s": round(seconds, 1),
        "workers": jobs,
        "audio_s_per_s": round(seconds / several, 2),
        "one_worker_audio_s_per_s": round(seconds / one, 2),
        "naive_audio_s_per_s": round(seconds / naive, 2),
        "speedup": round(naive / several, 2),
    }
    report("cpu", figures)


def _one_after_another(references: Path, decoded: Path) -> None:
    """Score as a script would that follows each package's README."""
    from pesq import pesq
    from pystoi import stoi
    from speechmos import dnsmos

    for path in sorted(references.rglob("*.flac")):
        reference, rate = soundfile.read(path)
        heard, _ = soundfile.read(decoded / path.relative_to(references))
        dnsmos.run(heard, rate)
        for mode in ("wb", "nb"):
            pesq(rate, reference, heard, mode)
        for extended in (False, True):
            stoi(reference, heard, rate, extended=extended)
