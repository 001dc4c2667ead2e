"""The jobs of a study, with the time, memory and disk that calibration says they take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import soundfile

from taae.benchmark.calibrate import Calibration
from taae.benchmark.schedule import Job
from taae.benchmark.steps import Steady, judged, key
from taae.codec.operating_points import NATIVE
from taae.corpus.prepare import PLANS
from taae.corpus.recordings import audio_folder
from taae.corpus.utterance import SPLITS
from taae.study.study import Study
from taae.training.config import Variant
from taae.training.footprint import FLOAT, codec_parameters, state_bytes
from taae.training.trainer import VALIDATION_SEGMENTS
from taae.utils.errors import TaaeError
from taae.utils.memory import MIB
from taae.utils.sample_rate import SAMPLE_RATE

UTTERANCE = 4.4  # s; of the synthetic corpus, mean
PCM, FLAC = 2, 1.2  # bytes per sample in a corpus, and of decoded speech, about
KEPT_STATES = 3  # of a training under way: two on the disk, one being written
CORPUS_THREADS = 8  # of rule corpus
PASSES = 3  # a training step takes as long as three forward passes
PRECISIONS = 2  # that rule precision encodes in
TABLES, PER_ABLATION = 10, 3  # jobs that end the study


def durations(corpus: dict[str, Any], prepared: Path | None) -> dict[str, float]:
    """Return the seconds of each split: of a prepared corpus, else by its settings or its files.

    Raises:
        TaaeError: there are no files yet.
    """
    if prepared and prepared.exists():
        splits = json.loads(prepared.read_text(encoding="utf-8"))
        if splits["settings"] == corpus:
            return {split: splits["splits"][split]["seconds"] for split in SPLITS}
    if corpus["kind"] == "synthetic":
        settings = corpus["synthetic"]
        held_out = {
            split: settings[split]["voices"] * settings[split]["utterances"] * UTTERANCE
            for split in ("validation", "test")
        }
        return {"train": settings["train"]["minutes"] * 60, **held_out}
    kind = corpus["kind"]
    folder = audio_folder(corpus[kind]["path"], f"corpus.{kind}.path")
    found = dict.fromkeys(SPLITS, 0.0)
    for batch in PLANS[kind](corpus).jobs:
        for recording in batch:
            try:
                found[recording.label.split] += soundfile.info(folder / recording.path).duration
            except (OSError, soundfile.SoundFileError):
                continue  # the corpus stage rejects it
    if not found["train"]:
        raise TaaeError("plan: the corpus has no training audio")
    return found


def training_seconds(variant: Variant, calibration: Calibration) -> float:
    """Return what the steps and validations of a training take."""
    training = variant.training
    quiet = calibration.steps[key(variant, False)].seconds
    seconds = training.steps * quiet
    if training.discriminator.share:
        playing, alone = _discriminator(variant, calibration)
        steps = training.steps - training.start(training.discriminator.share)
        seconds += steps * (playing.seconds - alone.seconds)
    validations = -(-training.steps // training.validate_every)
    share = training.batch / training.all_processes  # of a batch, which `quiet` is the time of
    return seconds + validations * VALIDATION_SEGMENTS / share * quiet / PASSES


def jobs(
    study: Study, calibration: Calibration, seconds: dict[str, float], cores: int
) -> list[Job]:
    """Return the jobs, each after those whose files it reads; `seconds` are of `durations`."""
    return list(_jobs(study, calibration, seconds, cores))


def _jobs(
    study: Study, calibration: Calibration, seconds: dict[str, float], cores: int
) -> Iterator[Job]:
    total, test = sum(seconds.values()), seconds["test"]
    start, process = calibration.start, calibration.process
    audio = SAMPLE_RATE / MIB  # million samples per second
    yield Job(
        name="corpus",
        arm="",
        seconds=start + total * calibration.corpus / min(CORPUS_THREADS, cores),
        memory=process,
        disk=PCM * audio * total,
        threads=CORPUS_THREADS,
    )

    def scored(names: list[str]) -> float:
        return test * sum(calibration.scoring.get(name, 0.0) for name in names)

    for arm, variant in study.variants.items():
        steady = calibration.steps[key(variant, False)]
        weights = FLOAT * codec_parameters(variant) / MIB
        of_arm = partial(Job, arm=arm, memory=process)
        with_codec = partial(
            Job,
            arm=arm,
            memory=process + weights,
            gpus=min(1, variant.training.gpus),
            basis=steady.basis,
        )
        encoding = steady.decoding / 2
        points = study.points(arm)
        for seed in study.seeds_of(arm):
            run = f"{arm}/seed{seed}"
            model = ("corpus", f"train/{run}")
            if arm in study.trained:
                yield with_codec(
                    f"train/{run}",
                    seconds=start + training_seconds(variant, calibration),
                    memory=_training_mib(variant, calibration),
                    disk=weights + KEPT_STATES * state_bytes(variant) / MIB,
                    threads=variant.training.threads * variant.training.all_processes,
                    gpus=variant.training.all_gpus,
                    after=("corpus",),
                )
            for point in points:
                decoded = f"decode/{run}/{point}"
                metrics = study.metrics.names if point == NATIVE else study.bitrates.metrics
                yield with_codec(
                    decoded,
                    seconds=start + test * steady.decoding,
                    disk=FLAC * audio * test,
                    after=model,
                )
                yield of_arm(
                    f"score/{run}/{point}",
                    seconds=calibration.start_scoring + scored(metrics),
                    after=(decoded,),
                )
                if len(points) > 1:
                    needed = (f"entropy_models/{run}", decoded)
                    yield of_arm(f"rates/{run}/{point}", seconds=start, after=needed)
            if len(points) > 1:
                fitted = min(study.bitrates.fit_minutes * 60 or seconds["train"], seconds["train"])
                yield with_codec(
                    f"entropy_models/{run}", seconds=start + fitted * encoding, after=model
                )
                twice = PRECISIONS * test * encoding
                yield with_codec(f"precision/{run}", seconds=start + twice, after=model)
            if arm in study.length_arms:
                each = test * steady.decoding + scored(study.lengths.metrics)
                spent = start + len(study.lengths.seconds) * each
                yield with_codec(f"lengths/{run}", seconds=spent, after=model)
    for codec in study.codecs:
        yield Job(
            f"other_codec/{codec}", codec, start, process, FLAC * audio * test, after=("corpus",)
        )
        yield Job(
            name=f"score/codecs/{codec}",
            arm=codec,
            seconds=calibration.start_scoring + scored(study.metrics.names),
            memory=process,
            after=(f"other_codec/{codec}",),
        )
    scores = tuple(
        f"score/{arm}/seed{seed}/{NATIVE}" for arm in study.variants for seed in study.seeds_of(arm)
    )
    for count in range(TABLES + PER_ABLATION * len(study.ablations)):
        yield Job(f"tables/{count + 1}", "", start, process, after=scores)


def _training_mib(variant: Variant, calibration: Calibration) -> float:
    """Return what the processes of a training take on a node, tensors included, at its peak.

    On GPUs it is one process with what its GPU holds: each GPU has a memory of its own.
    """
    training = variant.training
    each = calibration.process + _tensors_mib(variant, calibration)
    if training.gpus or training.all_processes == 1:
        return each
    return calibration.process + training.processes_per_node * each  # and what started them


def _tensors_mib(variant: Variant, calibration: Calibration) -> float:
    """Return what the tensors of one process of a training take at its peak."""
    step = calibration.steps[key(variant, False)].memory
    if variant.training.discriminator.share:
        playing, alone = _discriminator(variant, calibration)
        step += playing.memory - alone.memory
    return state_bytes(variant) / MIB + step


def _discriminator(variant: Variant, calibration: Calibration) -> tuple[Steady, Steady]:
    """Return steps that differ in the discriminator alone: with it and without it."""
    steps = calibration.steps
    return steps[key(variant, True)], steps[key(judged(variant), False)]
