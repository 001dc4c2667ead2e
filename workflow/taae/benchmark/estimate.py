"""Time, memory and disk of each job, from what was calibrated and how much audio there is."""

from __future__ import annotations

import json
import math
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
from taae.training.config import Variant
from taae.training.trainer import VALIDATION_SEGMENTS
from taae.utils.errors import TaaeError
from taae.utils.memory import MIB
from taae.utils.sample_rate import SAMPLE_RATE

UTTERANCE = 4.4  # s; of the synthetic corpus, mean
PCM, FLAC = 2, 1.2  # bytes per sample in a corpus, and of decoded speech, about
# Bytes per parameter: float32 weights; and three states of a training under way (two on the disk,
# one being written), each with the average and AdamW's two numbers.
MODEL = 4 + 3 * 16
PASSES = 3  # a training step takes as long as three forward passes
PRECISIONS = 2  # that rule precision encodes in


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
    settings = corpus[kind]
    if kind == "synthetic":
        held_out = {
            split: settings[split]["voices"] * settings[split]["utterances"] * UTTERANCE
            for split in ("validation", "test")
        }
        return {"train": settings["train"]["minutes"] * 60, **held_out}
    folder = audio_folder(settings["path"], f"corpus.{kind}.path")
    found = dict.fromkeys(SPLITS, 0.0)
    for recording in (each for batch in PLANS[kind](corpus).jobs for each in batch):
        try:
            found[recording.label.split] += soundfile.info(folder / recording.path).duration
        except (OSError, soundfile.SoundFileError):
            continue  # the corpus job rejects it
    if not found["train"]:
        raise TaaeError("plan: the corpus has no training audio")
    return found


def training_seconds(variant: Variant, cost: TrainingCost) -> float:
    """Return what the steps and validations of a training take."""
    training = variant.training
    adversarial = training.steps - training.start(training.discriminator.share)
    validations = -(-training.steps // training.validate_every)
    share = training.batch / training.all_processes  # of the batch, in one process's step
    steps = training.steps + validations * VALIDATION_SEGMENTS / share / PASSES
    return steps * cost.step + adversarial * (cost.adversarial_step - cost.step)


def job_seconds(job: Job, study: Study, found: Calibration, audio: dict[str, float]) -> float:
    """Return the time of a job, start included; most take little else.

    Args:
        job: of the study.
        study: the resolved study.
        found: what was measured.
        audio: seconds of each split, as `audio_seconds` returns them.
    """
    test, variant = audio["test"], study.variants.get(job.arm)

    def scoring(metrics: list[str]) -> float:
        return sum(found.scoring.get(name, 0.0) for name in metrics)

    if not job.outputs:  # such as `all`, which runs nothing
        return 0.0
    if job.rule.startswith("score"):
        native = job.wildcards.get("point", NATIVE) == NATIVE
        metrics = study.metrics.names if native else study.bitrates.metrics
        return found.start_scoring + test * scoring(metrics)
    work = 0.0
    if job.rule == "corpus":
        work = sum(audio.values()) * found.corpus / job.threads
    elif variant:
        cost = found.trainings[job.arm]
        encoding = cost.decoding / 2
        fitted = min(study.bitrates.fit_minutes * 60 or math.inf, audio["train"])
        each = cost.decoding + scoring(study.lengths.metrics)
        work = {
            "train": training_seconds(variant, cost),
            "decode": test * cost.decoding,
            "entropy_models": fitted * encoding,
            "precision": PRECISIONS * test * encoding,
            "lengths": len(study.lengths.seconds) * test * each,
        }.get(job.rule, 0.0)
    return found.start + work


def job_mib(job: Job, study: Study, found: Calibration) -> float:
    """Return the memory of a job on each node, as measured, else as its rule requests; or NaN."""
    if job.rule != "train" or math.isnan(found.trainings[job.arm].memory):
        return job.requested_mib
    training, each = study.variants[job.arm].training, found.trainings[job.arm].memory
    if training.gpus or training.all_processes == 1:
        return each  # each GPU has a memory of its own
    return found.process + training.processes_per_node * each  # and what started them


def disk_mib(job: Job, study: Study, audio: dict[str, float]) -> float:
    """Return about what a job leaves on the disk."""
    if job.rule == "train":
        return costs(study.variants[job.arm]).parameters * MODEL / MIB
    if job.rule == "corpus":
        return PCM * sum(audio.values()) * SAMPLE_RATE / MIB
    decodes = job.rule in ("decode", "other_codec", "reference")
    return FLAC * audio["test"] * SAMPLE_RATE / MIB if decodes else 0.0
