"""Calibration: what a few real training steps, decodings and scorings take on this machine."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch

from taae.benchmark.shared import now, speech_corpus, write_pairs
from taae.benchmark.train_speed import (
    WARM,
    TimedTraining,
    discriminator_flops,
    one_process,
    step_flops,
)
from taae.codec.codec import Codec
from taae.codec.complexity import profile
from taae.codec.config import SHAPES
from taae.corpus.config import Folder, TestSet
from taae.corpus.prepare import KINDS
from taae.corpus.store import Split
from taae.corpus.utterance import SPLITS
from taae.study.study import Study
from taae.training.config import TRUNK, Variant
from taae.utils.fingerprint import canonical
from taae.utils.gpus import compute
from taae.utils.log import log
from taae.utils.memory import MIB, peak_bytes
from taae.utils.processes import ordered_map
from taae.utils.sample_rate import SAMPLE_RATE

STEPS, ADVERSARIAL_STEPS = 10, 3  # that count; the latter may take ten times as long
DECODED = 10.0  # s of noise
SCORED = 3  # utterances
COPIES = 8  # of a training that run at once, at most
LARGEST = 1e11  # FLOPs of a step per CPU thread, 3 s or so; larger steps are extrapolated
SMALL_BATCH = 4  # segments of the training that larger ones are extrapolated from


@dataclass(frozen=True)
class TrainingCost:
    """What one process of a training takes, and its codec after it."""

    step: float  # s, without the discriminator
    adversarial_step: float  # s, with it
    decoding: float  # s per s of audio, encoding included, on one thread
    memory: float = math.nan  # MiB of the process at its peak, or of its GPU; NaN: not measured
    basis: str = "calibrated"  # or extrapolated


@dataclass(frozen=True)
class Calibration:
    """What was measured on this machine."""

    trainings: dict[str, TrainingCost]  # by variant
    start: float  # s until a process that trains or decodes begins to
    start_scoring: float  # s until a process that scores begins to
    corpus: float  # CPU s per s of prepared audio: spoken here, or from 16 kHz FLAC to the store
    scoring: dict[str, float]  # s per s of audio, by metric


def calibrate(study: Study, cores: int, rate: float = 0.0) -> Calibration:
    """Measure all that the jobs of a study consist of.

    Trainings are measured with as many copies side by side as the study will run, since they
    slow each other down. GPU trainings are measured where a GPU is; else their steps take the
    time of their FLOPs at `rate` (FLOP/s), or NaN without one.

    Raises:
        TaaeError: a process died.
    """
    wanted = any(variant.training.gpus for variant in study.variants.values())
    # Processes see the GPU that is held before the first of them, which prepares the corpus.
    with compute(int(wanted and torch.cuda.is_available())), TemporaryDirectory() as scratch:
        begun = now()
        with speech_corpus() as corpus:
            preparing = now() - begun
            spoken = sum(Split.open(corpus, name).samples for name in SPLITS) / SAMPLE_RATE
            rate_of_corpus = preparing / spoken
            if study.corpus["kind"] != "synthetic":
                rate_of_corpus = _reading(corpus, Path(scratch) / "recordings")
            start = _cpu_seconds("-c", "import taae.training.train")
            start_scoring, scoring = _score(study, corpus, Path(scratch))
            trainings = _trainings(study, corpus, cores, rate)
    return Calibration(trainings, start, start_scoring, rate_of_corpus, scoring)


def _cpu_seconds(*words: str) -> float:
    """Run Python and return the seconds that it computed."""
    before = os.times()
    subprocess.run([sys.executable, *words], capture_output=True, check=True)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])  # of child processes


def _reading(corpus: Path, folder: Path) -> float:
    """Return the CPU seconds that a second of recordings takes until it can be stored."""
    seconds = write_pairs(corpus, folder)
    files = Folder(path=f"{folder}/reference", test_speakers=1, test_utterances=10**6)
    kind = KINDS["folder"]
    plan = kind.plan(TestSet("folder", folder=files).chosen())
    kind.work(list(plan.items[:1]), **plan.settings)  # imports
    begun = time.process_time()
    kind.work(list(plan.items), **plan.settings)
    return (time.process_time() - begun) / seconds


def _score(study: Study, corpus: Path, folder: Path) -> tuple[float, dict[str, float]]:
    """Score some utterances as a job does; return its start, and seconds per second by metric."""
    seconds = write_pairs(corpus, folder, most=SCORED)
    words = ["--reference", f"{folder}/reference", "--decoded", f"{folder}/decoded"]
    words += ["--output", f"{folder}/scores.csv", "--max-failed", "1"]
    words += ["--metrics", *(name for name in study.computed if name != "mosnet")]
    words += study.metrics.speaker.options
    spent = _cpu_seconds("-m", "taae", "score", *words)
    each = pd.read_csv(folder / "scores.csv").groupby("metric")["cpu_s"].sum()
    rates = {str(name): float(value) / seconds for name, value in each.items()}
    return max(0.0, spent - float(each.sum())), rates


def _trainings(study: Study, corpus: Path, cores: int, rate: float) -> dict[str, TrainingCost]:
    """Return the cost of each variant; those that `one_process` makes equal are measured once."""
    most = min(cores, len(study.trained) * len(study.seeds), COPIES)
    measured: dict[str, TrainingCost] = {}

    def measure_once(name: str, variant: Variant) -> TrainingCost:
        key, training = canonical(variant), variant.training
        if key not in measured:
            log(f"calibrating: a training such as {name}")
            copies = 1 if training.gpus else max(1, min(most, cores // training.threads))
            # With `preload` a process measures once: torch compiles a few kinds of a layer and
            # leaves later ones as they are, and a process keeps the GPU's memory.
            work, tasks = partial(measure, corpus=corpus), [variant] * copies
            found = ordered_map(work, tasks, copies, preload=["taae"])
            measured[key] = sorted(found, key=lambda cost: cost.step)[copies // 2]
        return measured[key]

    def cost_of(name: str, variant: Variant) -> TrainingCost:
        training = variant.training
        if training.gpus and not torch.cuda.is_available():
            return cost_at(rate or math.nan, variant)
        if training.gpus or step_flops(variant) <= LARGEST * training.threads:
            return measure_once(name, variant)
        batch = min(SMALL_BATCH, training.batch)
        small = replace(
            variant,
            model=replace(variant.model, **SHAPES["small"]),
            training=replace(training, batch=batch, accumulate=1),
        )
        return extrapolate(variant, small, measure_once(f"{name}, but smaller", small))

    variants = dict(study.variants)
    if study.trunk and not study.trunk.pretrained:
        variants[TRUNK] = study.trunk
    return {
        name: cost_of(name, one_process(variant, WARM + STEPS))
        for name, variant in variants.items()
    }


def measure(variant: Variant, corpus: Path) -> TrainingCost:
    """Take steps, with the discriminator after WARM + STEPS of them; decode. In its own process."""
    training = variant.training
    torch.set_num_threads(training.threads)
    device = "cuda" if training.gpus else "cpu"
    steps = TimedTraining(variant, corpus, device)
    # On one thread the processor's time is the wall's, but for what else the machine does.
    clock = "processor" if training.gpus == 0 and training.threads == 1 else "wall"

    def median_step(count: int) -> float:
        steps.rows.clear()
        for _ in range(WARM + count):
            steps()
        return steps.median(clock)

    step = adversarial_step = median_step(STEPS)
    if training.discriminator.share:
        adversarial_step = median_step(ADVERSARIAL_STEPS)
    memory = peak_bytes(torch.device(device)) / MIB
    # A job decodes on one thread; on a GPU the processor's work counts.
    torch.set_num_threads(1)
    codec = steps.trainer.average.module.eval()  # never compiled, as in the job
    assert isinstance(codec, Codec)
    wave = 0.1 * torch.randn(1, round(DECODED * SAMPLE_RATE), device=device)
    codec.decode(codec.encode(wave))
    begun = time.process_time()
    codec.decode(codec.encode(wave))
    decoding = (time.process_time() - begun) / DECODED
    return TrainingCost(step, adversarial_step, decoding, memory)


def extrapolate(variant: Variant, small: Variant, cost: TrainingCost) -> TrainingCost:
    """Scale the times of a smaller training by FLOPs, and of the discriminator by the batch.

    Larger products come nearer to the machine's best rate: the time is an upper bound.
    """
    step = cost.step * step_flops(variant) / step_flops(small)
    playing = cost.adversarial_step - cost.step
    playing *= variant.training.batch / small.training.batch
    decoding = profile(variant.codec).flops_per_second / profile(small.codec).flops_per_second
    return TrainingCost(step, step + playing, cost.decoding * decoding, basis="extrapolated")


def cost_at(rate: float, variant: Variant) -> TrainingCost:
    """Return the cost on a GPU of `rate` FLOP/s, which decodes in no time beside a job's start."""
    step = step_flops(variant) / rate
    plays = variant.training.discriminator.share > 0
    playing = discriminator_flops(variant) / rate if plays else 0.0
    return TrainingCost(step, step + playing, 0.0, basis="extrapolated")
