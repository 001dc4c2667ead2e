"""Calibration: what a few real training steps, decodings and scorings take on this machine."""

from __future__ import annotations

import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from taae.benchmark.speech import speech_corpus
from taae.benchmark.steps import Steady, extrapolated, judged, key, measure, signature, stand_in
from taae.benchmark.timing import now
from taae.benchmark.train_speed import matrix_product
from taae.corpus.store import Split
from taae.corpus.utterance import SPLITS
from taae.study.study import Study
from taae.training.config import Variant
from taae.training.footprint import gradient_bytes, state_bytes, training_flops
from taae.utils.audio import write_flac
from taae.utils.fingerprint import canonical
from taae.utils.gpus import compute
from taae.utils.log import log
from taae.utils.memory import MIB
from taae.utils.sample_rate import SAMPLE_RATE

SHARE = 0.3  # of the rate of float32 matrix products that a training reaches on a CPU, at least
SLOWEST = 4.0  # s; steps that might take longer are extrapolated from a smaller codec's
LARGEST = 0.25  # share of the memory that a calibrated training may hold between its steps
SCORED = 3  # utterances
COPIES = 8  # that run at once, at most


@dataclass(frozen=True)
class Calibration:
    """What was measured on this machine.

    Attributes:
        steps: by the `key` of a variant.
        start: s until a process that trains or decodes begins to.
        start_scoring: the same of scoring.
        process: MiB of such a process before it has anything to do.
        corpus: s per s of prepared audio.
        scoring: s per s of audio, by metric.
    """

    steps: dict[str, Steady]
    start: float
    start_scoring: float
    process: float
    corpus: float
    scoring: dict[str, float]


def calibrate(study: Study, cores: int, rate: float = 0.0) -> Calibration:
    """Measure all that the jobs of a study consist of.

    Trainings are measured with as many copies side by side as the study will run, since they
    slow each other down. GPU trainings are measured where a GPU is; else their steps take the
    time of their FLOPs at `rate` (FLOP/s), or NaN without one.
    """
    begun = now()
    with speech_corpus(None) as corpus, tempfile.TemporaryDirectory() as scratch:
        preparing = now() - begun
        splits = (Split.open(corpus, name) for name in SPLITS)
        spoken = sum(len(split.samples) for split in splits) / SAMPLE_RATE
        start, process = _import("taae.training.train")
        start_scoring, scoring = _score(study.metrics.names, corpus, Path(scratch))
        with _gpu(study):
            steps = _steps(study, corpus, cores, rate)
    # The least, since most jobs neither train nor compile.
    process = min(
        [steady.process for steady in steps.values() if not math.isnan(steady.process)] or [process]
    )
    return Calibration(steps, start, start_scoring, process, preparing / spoken, scoring)


@contextmanager
def _gpu(study: Study) -> Iterator[None]:
    """Hold a GPU, as trainings do, where the study trains on one and there is one."""
    wanted = any(variant.training.gpus for variant in study.variants.values())
    with compute(int(wanted and torch.cuda.is_available())):
        yield


def _steps(study: Study, corpus: Path, cores: int, rate: float) -> dict[str, Steady]:
    runs = max(1, len(study.trained) * len(study.seeds))
    wanted = {}
    for variant in study.variants.values():
        wanted[key(variant, False)] = signature(variant, False)
        if variant.training.discriminator.share:
            wanted[key(judged(variant), False)] = signature(judged(variant), False)
            wanted[key(variant, True)] = signature(variant, True)
    torch.set_num_threads(1)  # the rate is that of one
    product, flops = matrix_product("float32", "cpu")
    begun = now()
    product()
    speed = SHARE * flops / (now() - begun)
    found: dict[str, Steady] = {}
    stands: dict[str, Steady] = {}
    # A process measures once: torch compiles a few kinds of a layer and leaves later ones as they
    # are, and a process keeps the GPU's memory.
    workers, spawn = min(cores, runs, COPIES), get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, max_tasks_per_child=1) as pool:
        for count, (name, variant) in enumerate(wanted.items(), start=1):
            log(f"calibrating {count}/{len(wanted)}: {_described(variant)}")
            copies = max(1, min(cores // variant.training.threads, runs, COPIES))
            if variant.training.gpus and not torch.cuda.is_available():
                found[name] = by_rate(variant, rate)
            elif _fits(variant, speed):
                found[name] = _measured(pool, variant, corpus, copies)
            else:
                small = stand_in(variant)
                if canonical(small) not in stands:
                    stands[canonical(small)] = _measured(pool, small, corpus, copies)
                found[name] = extrapolated(variant, small, stands[canonical(small)])
    return found


def by_rate(variant: Variant, rate: float) -> Steady:
    """Return what is known of a training on a GPU that is not here."""
    seconds = training_flops(variant) / rate if rate else math.nan
    return Steady(seconds, math.nan, 0.0, basis="extrapolated")


def _fits(variant: Variant, speed: float) -> bool:
    if variant.training.gpus:
        return True
    held = state_bytes(variant) + gradient_bytes(variant)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    slow = training_flops(variant) / (speed * variant.training.threads) > SLOWEST
    return not slow and held < LARGEST * memory


def _measured(pool: ProcessPoolExecutor, variant: Variant, corpus: Path, copies: int) -> Steady:
    if variant.training.gpus:
        copies = 1
    found = list(pool.map(partial(measure, variant), [corpus] * copies))
    names = ("seconds", "memory", "decoding", "process")
    return Steady(*(statistics.median(getattr(each, name) for each in found) for name in names))


def _import(module: str) -> tuple[float, float]:
    """Return the seconds and the MiB of a process that imports a module."""
    code = (
        f"import resource, time, {module}\n"
        "print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, peak = map(float, done.stdout.split()[-2:])
    return seconds, peak / (MIB if sys.platform == "darwin" else 1024)


def _score(names: Sequence[str], corpus: Path, scratch: Path) -> tuple[float, dict[str, float]]:
    """Score some utterances as a job does; return its start, and seconds per second by metric."""
    names = [name for name in names if name != "mosnet"]
    data, seconds = Split.open(corpus, "test"), 0.0
    rng = np.random.default_rng(0)
    for index in range(SCORED):
        audio = data.audio(index)
        noise = rng.normal(0, 0.01, len(audio)).astype(np.float32)
        seconds += len(audio) / SAMPLE_RATE
        write_flac(scratch / "reference" / f"{index}.flac", audio)
        write_flac(scratch / "decoded" / f"{index}.flac", audio + noise)
    words = ["--reference", scratch / "reference", "--decoded", scratch / "decoded"]
    words += ["--output", scratch / "scores.csv", "--max-failed", "1", "--metrics", *names]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "taae", "score", *map(str, words)], capture_output=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    table = pd.read_csv(scratch / "scores.csv")
    each = table.groupby("metric")["cpu_s"].sum()
    rates = {str(name): float(value) / seconds for name, value in each.items()}
    return max(0.0, spent - float(each.sum())), rates


def _described(variant: Variant) -> str:
    model, training = variant.model, variant.training
    adversary = ", discriminator" if training.discriminator.share else ""
    causal = ", causal" if variant.attention.causal else ""
    return (
        f"{model.kind}, width {model.width}, layers {model.layers},"
        f" window {variant.attention.window}, batch {training.batch}{causal}{adversary}"
    )
