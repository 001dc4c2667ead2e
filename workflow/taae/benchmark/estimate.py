"""Time, memory and disk of each job, from what was calibrated and how much audio there is."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from taae.benchmark.calibrate import Calibration
from taae.benchmark.dry_run import Job
from taae.benchmark.flops import costs
from taae.benchmark.training_cost import TrainingCost
from taae.codec.operating_points import NATIVE
from taae.corpus.prepare import PLANS
from taae.corpus.recordings import audio_folder
from taae.corpus.utterance import SPLITS
from taae.study.study import Study
from taae.training.config import Training, Variant
from taae.training.trainer import VALIDATION_SEGMENTS
from taae.utils.errors import TaaeError
from taae.utils.memory import MIB
from taae.utils.sample_rate import SAMPLE_RATE

UTTERANCE = 4.4  # s; of the synthetic corpus, mean
PCM, FLAC = 2, 1.2  # bytes per sample in a corpus, and of decoded speech, about
WEIGHTS, STATE = 4, 16  # bytes per parameter: float32; with the average and AdamW's two numbers
KEPT_STATES = 3  # of a training under way: two on the disk, one being written
PASSES = 3  # a training step takes as long as three forward passes
PRECISIONS = 2  # that rule precision encodes in


@dataclass(frozen=True)
class Estimate:
    """What a job will take.

    Attributes:
        seconds: NaN: unknown.
        memory: MiB on each node; NaN: unknown.
        disk: MiB that it leaves.
        basis: calibrated, extrapolated, or estimated.
    """

    seconds: float
    memory: float
    disk: float
    basis: str


def audio_seconds(corpus: dict[str, Any], prepared: Path | None) -> dict[str, float]:
    """Return the seconds of each split: of a prepared corpus, else by its settings or its files.

    Raises:
        TaaeError: there are no files yet.
    """
    if prepared and prepared.exists():
        splits = json.loads(prepared.read_text(encoding="utf-8"))
        if splits["settings"] == corpus:
            return {split: splits["splits"][split]["seconds"] for split in SPLITS}
    kind = corpus["kind"]
    if kind == "synthetic":
        settings = corpus["synthetic"]
        held_out = {
            split: settings[split]["voices"] * settings[split]["utterances"] * UTTERANCE
            for split in ("validation", "test")
        }
        return {"train": settings["train"]["minutes"] * 60, **held_out}
    folder = audio_folder(corpus[kind]["path"], f"corpus.{kind}.path")
    found = dict.fromkeys(SPLITS, 0.0)
    for batch in PLANS[kind](corpus).jobs:
        for recording in batch:
            try:
                found[recording.label.split] += soundfile.info(folder / recording.path).duration
            except (OSError, soundfile.SoundFileError):
                continue  # the corpus job rejects it
    if not found["train"]:
        raise TaaeError("plan: the corpus has no training audio")
    return found


def estimate(job: Job, study: Study, found: Calibration, audio: dict[str, float]) -> Estimate:
    """Return what a job takes; `audio` is what `audio_seconds` returns."""
    variant, cost = study.variants.get(job.arm), found.trainings.get(job.arm)
    memory, disk = job.requested_mib, 0.0
    if job.rule == "corpus":
        disk = PCM * sum(audio.values()) * SAMPLE_RATE / MIB
    elif job.rule in ("decode", "other_codec", "reference"):
        disk = FLAC * audio["test"] * SAMPLE_RATE / MIB
    elif job.rule == "train" and variant and cost:
        if not math.isnan(cost.memory):
            memory = node_mib(variant.training, cost.memory, found.process)
        disk = costs(variant).parameters * (WEIGHTS + KEPT_STATES * STATE) / MIB
    start = found.start_scoring if job.rule.startswith("score") else found.start
    # A job without outputs, such as `all`, runs nothing.
    seconds = start + _work(job, study, found, audio) if job.outputs else 0.0
    return Estimate(seconds, memory, disk, cost.basis if cost else "estimated")


def _work(job: Job, study: Study, found: Calibration, audio: dict[str, float]) -> float:
    """Return the seconds of a job after its start; 0 for one that takes little else."""
    test, total = audio["test"], sum(audio.values())
    if job.rule == "corpus":
        return total * found.corpus / job.threads
    if job.rule.startswith("score"):
        native = job.wildcards.get("point", NATIVE) == NATIVE
        return test * _scoring(study.metrics.names if native else study.bitrates.metrics, found)
    if job.arm not in study.variants:
        return 0.0
    cost = found.trainings[job.arm]
    if job.rule == "train":
        return training_seconds(study.variants[job.arm], cost)
    if job.rule == "decode":
        return test * cost.decoding
    if job.rule == "entropy_models":
        wanted = study.bitrates.fit_minutes * 60 or audio["train"]
        return min(wanted, audio["train"]) * cost.decoding / 2  # encoding alone
    if job.rule == "precision":
        return PRECISIONS * test * cost.decoding / 2
    if job.rule == "lengths":
        each = cost.decoding + _scoring(study.lengths.metrics, found)
        return len(study.lengths.seconds) * test * each
    return 0.0


def _scoring(metrics: list[str], found: Calibration) -> float:
    """Return the seconds that metrics take for a second of audio."""
    return sum(found.scoring.get(name, 0.0) for name in metrics)


def training_seconds(variant: Variant, cost: TrainingCost) -> float:
    """Return what the steps and validations of a training take."""
    training = variant.training
    adversarial = training.steps - training.start(training.discriminator.share)
    seconds = training.steps * cost.step
    seconds += adversarial * (cost.adversarial_step - cost.step)
    validations = -(-training.steps // training.validate_every)
    share = training.batch / training.all_processes  # of the batch, in one process's step
    return seconds + validations * VALIDATION_SEGMENTS / share * cost.step / PASSES


def node_mib(training: Training, each: float, starter: float) -> float:
    """Return what the processes of a training take on a node, in MiB.

    Args:
        training: its settings.
        each: MiB of one process.
        starter: MiB of the process that starts several ones.
    """
    if training.gpus or training.all_processes == 1:
        return each  # each GPU has a memory of its own
    return starter + training.processes_per_node * each
