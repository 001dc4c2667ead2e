"""`taae plan`: what every job of a study will take, and how far off that was."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import soundfile
from cyclopts import Parameter

from taae.benchmark.calibrate import Calibration, TrainingCost, calibrate
from taae.benchmark.jobs import Job, list_jobs, total_time
from taae.benchmark.train_speed import PASSES
from taae.codec.layer_geometry import parameter_count
from taae.codec.operating_points import NATIVE
from taae.corpus.config import MAIN
from taae.corpus.prepare import KINDS
from taae.corpus.recordings import Recording, audio_folder
from taae.corpus.utterance import SPLITS
from taae.evaluation.robustness.conditions import conditions
from taae.evaluation.scoring.error_rates import ERROR_RATES
from taae.study.load import DEMO, layered, resolve
from taae.study.study import Study
from taae.study.tests import unaltered
from taae.training.config import TRUNK, Variant
from taae.training.trainer import VALIDATION_SEGMENTS
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv, write_csv
from taae.utils.memory import MIB
from taae.utils.options import Count, Whole
from taae.utils.sample_rate import SAMPLE_RATE

TRAININGS, DECODINGS = ("train", TRUNK), ("decode", "decode_points")  # rules
UTTERANCE = 4.4  # s; of the synthetic corpus, mean
PCM, FLAC = 2, 1.2  # bytes per sample in a corpus, and of decoded speech, about
# Bytes per parameter: float32 weights; and three states of a training under way (two on the disk,
# one being written), each with the average and AdamW's two numbers.
MODEL = 4 + 3 * 16


def plan(
    *,
    study: Annotated[list[Path], Parameter(name=("--study", "--configfile"))] = DEMO,
    cores: Count | None = None,
    gpus: Whole | None = None,
    gpu_tflops: float = 0.0,
    results: Path | None = None,
    output: Path | None = None,
) -> None:
    """Calibrate, print a table of the arms and the totals, and write one row per job.

    Args:
        study: config files, laid over each other.
        cores: that the jobs share; by itself this machine's.
        gpus: that the jobs share; by itself what one job takes.
        gpu_tflops: that a GPU reaches in training, where this machine has none: about a third of
            what its maker promises for large models, far less for small ones.
        results: of a run, to compare the prediction with.
        output: CSV, one row per job.
    """
    config, cores = layered(study), cores or os.cpu_count() or 1
    resolved, jobs = resolve(config), list_jobs(config, cores)
    audio = audio_by_test(resolved)
    found = calibrate(resolved, cores, rate=1e12 * gpu_tflops)
    rows = []
    for job in jobs:
        cost = found.trainings.get(job.arm)
        spoken = audio[job.wildcards.get("test", MAIN)]
        seconds, spent = job_seconds(job, resolved, found, spoken), _measured(job, results)
        rows.append(
            {
                "job": job.name,
                "rule": job.rule,
                "arm": job.arm,
                "seconds": round(seconds, 1),
                "memory_mib": round(job_mib(job, resolved, found), 1),
                "disk_mib": round(disk_mib(job, resolved, spoken), 1),
                "threads": job.cores,
                "gpus": job.gpus,
                "basis": cost.basis if cost else "estimated",
                "measured_seconds": spent,
                "off_percent": round(100 * (seconds / spent - 1), 1) if spent else math.nan,
            }
        )
    table = pd.DataFrame(rows)
    if output:
        write_csv(table, output)
    for column in ("arm", "rule"):
        print(summary(table, column).to_string(index=False, na_rep="-"), end="\n\n")
    if not math.isnan(off := off_percent(table)):
        print(f"all measured jobs: off by {off:+.1f} %")
    memory, disk = table["memory_mib"].max() / 1024, table["disk_mib"].sum() / 1024
    print(f"largest job {memory:.1f} GiB, measured or as its rule requests; disk {disk:.2f} GiB")
    if table["seconds"].isna().any():
        print("some arms train on a GPU, and there is none here: give --gpu-tflops")
    else:
        gpus = max(job.gpus for job in jobs) if gpus is None else gpus
        taken = dict(zip(table["job"], table["seconds"], strict=True))
        minutes = total_time(jobs, taken, cores, gpus) / 60
        print(f"on {cores} cores and {gpus} GPUs: about {minutes:.1f} min from start to end")
    if any(variant.training.perceptual.share for variant in resolved.variants.values()):
        print("note: what WavLM takes in the perceptual stage is not in these figures")


def audio_by_test(study: Study) -> dict[str, dict[str, float]]:
    """Return the seconds of each split, by test set; of the main one those of the whole corpus."""
    found = {MAIN: audio_seconds(study.corpus)}
    for name in study.tests:
        origin = unaltered(study.tests, name)
        if origin not in found:
            found[origin] = audio_seconds(study.tests[origin].chosen())
        found.setdefault(name, {"test": found[origin]["test"]})
    return found


def audio_seconds(corpus: dict[str, Any]) -> dict[str, float]:
    """Return the seconds of each split, by the settings of a corpus or test set, or by its files.

    Raises:
        TaaeError: there are no files yet.
    """
    kind = corpus["kind"]
    settings = corpus[kind]
    splits = corpus.get("splits", SPLITS)
    if kind == "synthetic":
        spoken = {
            split: settings[split]["voices"] * settings[split]["utterances"] * UTTERANCE
            for split in ("validation", "test")
        }
        spoken |= {"train": settings["train"]["minutes"] * 60}
        return {split: spoken[split] for split in splits}
    folder = audio_folder(settings["path"], f"corpus.{kind}.path")
    found = dict.fromkeys(splits, 0.0)
    for recording in KINDS[kind].plan(corpus).items:
        assert isinstance(recording, Recording)
        try:
            found[recording.label.split] += soundfile.info(folder / recording.path).duration
        except (OSError, soundfile.SoundFileError):
            continue  # the corpus job rejects it
    if found.get("train") == 0:
        raise TaaeError("plan: the corpus has no training audio")
    return found


def training_seconds(variant: Variant, cost: TrainingCost) -> float:
    """Return what the steps and validations of a training take."""
    training = variant.training
    adversarial = training.steps - training.first_step(training.discriminator.share)
    validations = -(-training.steps // training.validate_every)
    share = training.batch / training.all_processes  # of the batch, in one process's step
    steps = training.steps + validations * VALIDATION_SEGMENTS / share / PASSES
    return steps * cost.step + adversarial * (cost.adversarial_step - cost.step)


def job_seconds(job: Job, study: Study, found: Calibration, audio: dict[str, float]) -> float:
    """Return the time of a job, start included; most take little else.

    `audio` has the seconds of the splits of its test set, of the main one of all splits.
    """
    if not job.outputs:  # such as `all`, which runs nothing
        return 0.0
    test, cost = audio["test"], found.trainings.get(job.arm)

    def scoring(metrics: list[str]) -> float:
        return sum(found.scoring.get(name, 0.0) for name in metrics)

    rule, points = _rule(job), _points(job, study)
    if rule in ("score", "score_points", "score_other_codec"):
        each = (scoring(study.metrics_at(point)) for point in points)
        return found.start_scoring + test * sum(each)
    hearing = max(found.scoring.get(name, 0.0) for name in ERROR_RATES)  # an equal share each
    work = {
        "corpus": sum(audio.values()) * found.corpus / job.cores,
        "hear": test * len(ERROR_RATES) * hearing,
    }
    if cost:
        fitted = min(study.bitrates.fit_minutes * 60 or math.inf, audio.get("train", 0.0))
        encoding, lengths = cost.decoding / 2, study.lengths
        hard, under = study.robustness.metrics, len(conditions(study.robustness))
        work |= {
            **dict.fromkeys(TRAININGS, training_seconds(study.variant(job.arm), cost)),
            **dict.fromkeys(DECODINGS, test * encoding * (1 + len(points))),
            "entropy_models": fitted * encoding,
            "precision": 2 * test * encoding,
            # All lengths but that of the training are scored beside it.
            "lengths": test * len(lengths.seconds) * cost.decoding
            + test * 2 * max(1, len(lengths.seconds) - 1) * scoring(lengths.metrics),
            "robustness": test * under * (cost.decoding + scoring(hard)),
        }
    return found.start + work.get(rule, 0.0)


def _rule(job: Job) -> str:
    """Return the rule of a job; of another test set that of the main one, which does the same."""
    return job.rule.removesuffix("_test")


def _points(job: Job, study: Study) -> list[str]:
    """Return the operating points at which a job decodes or scores its arm."""
    everywhere = job.arm in study.variants and "test" not in job.wildcards
    return study.points(job.arm) if everywhere else [NATIVE]


def job_mib(job: Job, study: Study, found: Calibration) -> float:
    """Return the memory of a job on each node, as measured, else as its rule requests; or NaN."""
    if job.rule not in TRAININGS or math.isnan(found.trainings[job.arm].memory):
        return job.requested_mib
    training = study.variant(job.arm).training
    held = 1 if training.gpus else training.processes  # each GPU has a memory of its own
    return held * found.trainings[job.arm].memory


def disk_mib(job: Job, study: Study, audio: dict[str, float]) -> float:
    """Return about what a job leaves on the disk."""
    if job.rule in TRAININGS:
        return parameter_count(study.variant(job.arm).codec) * MODEL / MIB
    if _rule(job) == "corpus":
        return PCM * sum(audio.values()) * SAMPLE_RATE / MIB
    decoded = len(_points(job, study)) if _rule(job) in DECODINGS else 0
    decoded += _rule(job) in ("other_codec", "reference")
    return decoded * FLAC * audio["test"] * SAMPLE_RATE / MIB


def _measured(job: Job, results: Path | None) -> float:
    """Return the seconds of a job that was run, else NaN."""
    if results and job.benchmark:
        path = results / Path(job.benchmark).relative_to("results")
        if path.exists():
            return float(read_csv(path, ["s"], separator="\t")["s"].iloc[-1])
    return math.nan


def summary(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return a row per arm or rule: minutes of all jobs and of trainings, memory, disk."""
    rows = []
    for name, jobs in table.groupby(column, sort=False):
        trainings = jobs[jobs["rule"].isin(TRAININGS)]
        rows.append(
            {
                column: name or "(all)",
                "jobs": len(jobs),
                "minutes": jobs["seconds"].sum(skipna=False) / 60,
                "training_min": trainings["seconds"].sum(skipna=False) / 60,
                "training_mib": trainings["memory_mib"].max(),
                "disk_mib": jobs["disk_mib"].sum(),
                "basis": jobs["basis"].iloc[0],
                "off_%": off_percent(jobs),
            }
        )
    return pd.DataFrame(rows).round(1)


def off_percent(rows: pd.DataFrame) -> float:
    """Return by how many percent the sum over measured jobs was predicted too high."""
    known = rows[rows["measured_seconds"].notna()]
    spent = float(known["measured_seconds"].sum())
    return 100 * (float(known["seconds"].sum()) / spent - 1) if spent else math.nan
