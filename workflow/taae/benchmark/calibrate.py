"""Calibration: what a few real training steps, decodings and scorings take on this machine."""

from __future__ import annotations

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

from taae.benchmark.flops import step_flops
from taae.benchmark.speech import speech_corpus
from taae.benchmark.timing import now
from taae.benchmark.training_cost import (
    TrainingCost,
    extrapolate,
    from_rate,
    measure,
    measured_variant,
    stand_in,
)
from taae.corpus.store import Split
from taae.corpus.utterance import SPLITS
from taae.study.study import Study
from taae.training.config import Variant
from taae.utils.audio import write_flac
from taae.utils.fingerprint import canonical
from taae.utils.gpus import compute
from taae.utils.log import log
from taae.utils.memory import MIB
from taae.utils.sample_rate import SAMPLE_RATE

LARGEST = 1e11  # FLOPs of a step per CPU thread, 3 s or so; larger steps are extrapolated
SCORED = 3  # utterances
COPIES = 8  # that run at once, at most


@dataclass(frozen=True)
class Calibration:
    """What was measured on this machine.

    Attributes:
        trainings: by the name of the variant.
        start: s until a process that trains or decodes begins to.
        start_scoring: s until a process that scores begins to.
        process: MiB of a process that trains, before it has anything to do.
        corpus: s per s of prepared audio.
        scoring: s per s of audio, by metric.
    """

    trainings: dict[str, TrainingCost]
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
            trainings = _trainings(study, corpus, cores, rate)
    return Calibration(trainings, start, start_scoring, process, preparing / spoken, scoring)


@contextmanager
def _gpu(study: Study) -> Iterator[None]:
    """Hold a GPU, as trainings do, where the study trains on one and there is one."""
    wanted = any(variant.training.gpus for variant in study.variants.values())
    with compute(int(wanted and torch.cuda.is_available())):
        yield


def _trainings(study: Study, corpus: Path, cores: int, rate: float) -> dict[str, TrainingCost]:
    """Return the cost of each variant; those that differ in no cost are measured once."""
    runs = max(1, len(study.trained) * len(study.seeds))
    workers = min(cores, runs, COPIES)
    measured: dict[str, TrainingCost] = {}
    # A process measures once: torch compiles a few kinds of a layer and leaves later ones as they
    # are, and a process keeps the GPU's memory.
    with ProcessPoolExecutor(workers, get_context("spawn"), max_tasks_per_child=1) as pool:

        def measure_once(variant: Variant) -> TrainingCost:
            key = canonical(variant)
            if key not in measured:
                log(f"calibrating: {_description(variant)}")
                copies = min(workers, max(1, cores // variant.training.threads))
                if variant.training.gpus:
                    copies = 1
                found = list(pool.map(partial(measure, variant), [corpus] * copies))
                names = ("step", "adversarial_step", "decoding", "memory")
                measured[key] = TrainingCost(
                    *(statistics.median(getattr(each, name) for each in found) for name in names)
                )
            return measured[key]

        def cost_of(variant: Variant) -> TrainingCost:
            training = variant.training
            if training.gpus and not torch.cuda.is_available():
                return from_rate(variant, rate)
            if training.gpus or step_flops(variant) <= LARGEST * training.threads:
                return measure_once(variant)
            small = stand_in(variant)
            return extrapolate(variant, small, measure_once(small))

        return {name: cost_of(measured_variant(each)) for name, each in study.variants.items()}


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


def _description(variant: Variant) -> str:
    model, training = variant.model, variant.training
    return (
        f"{model.kind}, width {model.width}, layers {model.layers},"
        f" window {variant.attention.window}, batch {training.batch}"
        f"{', causal' if variant.attention.causal else ''}"
        f"{', discriminator' if training.discriminator.share else ''}"
    )
