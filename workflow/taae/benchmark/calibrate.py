"""Calibration: what a few real training steps, decodings and scorings take on this machine."""

from __future__ import annotations

import math
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import torch

from taae.benchmark.flops import step_flops
from taae.benchmark.score_speed import write_pairs
from taae.benchmark.speech import speech_corpus
from taae.benchmark.timing import now
from taae.benchmark.train_speed import variant_with
from taae.benchmark.training_cost import (
    TrainingCost,
    cost_at,
    extrapolate,
    measure,
    measured_variant,
)
from taae.corpus.store import Split
from taae.corpus.utterance import SPLITS
from taae.study.study import Study
from taae.training.config import Variant
from taae.utils.fingerprint import canonical
from taae.utils.gpus import compute
from taae.utils.log import log
from taae.utils.sample_rate import SAMPLE_RATE

LARGEST = 1e11  # FLOPs of a step per CPU thread, 3 s or so; larger steps are extrapolated
SMALL_BATCH = 4  # segments of the training that larger ones are extrapolated from
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
        spoken = sum(len(Split.open(corpus, name).samples) for name in SPLITS) / SAMPLE_RATE
        start, process = _run("-c", "import taae.training.train")
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
    """Return the cost of each variant; variants that differ in no cost are measured once."""
    workers = max(1, min(cores, len(study.trained) * len(study.seeds), COPIES))
    measured: dict[str, TrainingCost] = {}
    # A process measures once: torch compiles a few kinds of a layer and leaves later ones as they
    # are, and a process keeps the GPU's memory.
    with ProcessPoolExecutor(workers, get_context("spawn"), max_tasks_per_child=1) as pool:

        def measure_once(name: str, variant: Variant) -> TrainingCost:
            key, training = canonical(variant), variant.training
            if key not in measured:
                log(f"calibrating: a training such as {name}")
                copies = max(1, min(workers, cores // training.threads))
                copies = 1 if training.gpus else copies
                found = list(pool.map(measure, [variant] * copies, [corpus] * copies))
                names = ("step", "adversarial_step", "decoding", "memory")
                measured[key] = TrainingCost(
                    *(statistics.median(getattr(each, name) for each in found) for name in names)
                )
            return measured[key]

        def cost_of(name: str, variant: Variant) -> TrainingCost:
            training = variant.training
            if training.gpus and not torch.cuda.is_available():
                return cost_at(rate or math.nan, variant)
            if training.gpus or step_flops(variant) <= LARGEST * training.threads:
                return measure_once(name, variant)
            small = variant_with(
                variant, "small", batch=min(SMALL_BATCH, training.batch), accumulate=1
            )
            return extrapolate(variant, small, measure_once(f"{name}, but smaller", small))

        return {
            name: cost_of(name, measured_variant(variant))
            for name, variant in study.variants.items()
        }


def _run(*words: str) -> tuple[float, float]:
    """Run Python; return the CPU seconds, and the MiB of the largest process so far."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, after.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _score(names: list[str], corpus: Path, folder: Path) -> tuple[float, dict[str, float]]:
    """Score some utterances as a job does; return its start, and seconds per second by metric."""
    seconds = write_pairs(Split.open(corpus, "test"), folder, count=SCORED)
    words = ["--reference", f"{folder}/reference", "--decoded", f"{folder}/decoded"]
    words += ["--output", f"{folder}/scores.csv", "--max-failed", "1"]
    words += ["--metrics", *(name for name in names if name != "mosnet")]
    spent, _ = _run("-m", "taae", "score", *words)
    each = pd.read_csv(folder / "scores.csv").groupby("metric")["cpu_s"].sum()
    rates = {str(name): float(value) / seconds for name, value in each.items()}
    return max(0.0, spent - float(each.sum())), rates
