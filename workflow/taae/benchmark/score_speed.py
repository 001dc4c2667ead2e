"""Scoring: each family of metrics, and all against calling their packages one after another."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

import soundfile

from taae.benchmark.shared import medians, report, speech_corpus, write_pairs
from taae.evaluation.installed import check_installed
from taae.evaluation.metrics import COMPUTED, METRICS, STANDARD
from taae.evaluation.scoring.score import Scoring, score_folders
from taae.evaluation.scoring.scorers import SCORERS
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv
from taae.utils.options import Count
from taae.utils.sample_rate import SAMPLE_RATE

NAMES = [name for name in STANDARD if name != "mosnet"]  # it needs weights
ROUNDS = 3  # that count
JOINED = 2  # sentences in an utterance: 8 s, about as long as those of read speech
MEASURED = 6  # utterances that each family scores; on the first of them networks are loaded


def score(*, jobs: Count = 2) -> None:
    """Time each family of metrics, and `taae score` against the packages of its metrics.

    Metrics of a family are computed together. Those that lack a package or weights are named.
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
            write_pairs(corpus, folder / "few", JOINED, most=MEASURED * JOINED)
        pair = folder / "reference", folder / "decoded"
        ours = partial(score_folders, *pair, folder / "scores.csv")
        alone = Scoring(NAMES, max_failed=0.0, max_seconds=30.0)
        works = {
            "one after another": partial(_one_after_another, *pair),
            "taae, one process": partial(ours, alone),
            f"taae, --jobs {jobs}": partial(ours, replace(alone, workers=jobs)),
        }
        walls = medians(works, seconds=0, least=ROUNDS)
        rates, lacking = family_rates(folder / "few")
    print(f"{seconds:.0f} s of audio; medians of {ROUNDS} rounds in turns")
    for arm, wall in walls.items():
        print(f"{arm:20}  {seconds / wall:6.1f} audio-s/s  {wall:6.1f} s")
    print(f"audio-s per CPU-s of a process with one thread, over {MEASURED - 1} utterances")
    for family, rate in rates.items():
        print(f"{family:48}  {rate:8,.1f}")
    for reason in lacking:
        print(f"not measured: {reason}")
    naive, one, several = walls.values()
    figures = {
        "audio_s": round(seconds, 1),
        "workers": jobs,
        "audio_s_per_s": round(seconds / several, 2),
        "one_worker_audio_s_per_s": round(seconds / one, 2),
        "naive_audio_s_per_s": round(seconds / naive, 2),
        "speedup": round(naive / several, 2),
        "audio_s_per_cpu_s": {family: round(rate, 1) for family, rate in rates.items()},
    }
    report("cpu", figures)


def family_rates(folder: Path) -> tuple[dict[str, float], list[str]]:
    """Return audio-s per CPU-s of each family that can be scored here, and why others cannot.

    `folder` is of `write_pairs`. The first utterance does not count.
    """
    names: list[str] = []
    lacking = []
    for family in families():
        try:
            check_installed(family)
            names += family if family != ["mosnet"] else []
        except TaaeError as error:
            lacking.append(str(error))
    lacking.append(f"mosnet needs {METRICS['mosnet'].needs}")
    output = folder / "scores.csv"
    pair = folder / "reference", folder / "decoded"
    score_folders(*pair, output, Scoring(names, max_failed=1.0, max_seconds=30.0))
    rows = read_csv(output, ["metric", "value", "cpu_s", "n_ref"], ["utterance"])
    rows = rows[rows["utterance"] > rows["utterance"].min()]
    rates = {}
    for family in families():
        own = rows[rows["metric"].isin(family)]
        # Without a transcript a recogniser's rate may have no value beside one that has.
        own = own[own["utterance"].isin(own["utterance"][own["value"].notna()])]
        if len(own):
            audio = own.groupby("utterance")["n_ref"].first().sum() / SAMPLE_RATE
            rates[", ".join(family)] = float(audio / own["cpu_s"].sum())
    return rates, lacking


def families() -> list[list[str]]:
    """Return the metrics that are computed together."""
    scored = {name: scorer.metrics[0] for scorer in SCORERS for name in scorer.metrics}
    grouped = groupby(COMPUTED, key=lambda name: scored.get(name, METRICS[name].source))
    return [list(names) for _, names in grouped]


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
