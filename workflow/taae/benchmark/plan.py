"""`taae plan`: what every job of a study will take, and how far off that was."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pandas as pd
from cyclopts import Parameter

from taae.benchmark.calibrate import Calibration, TrainingCost, calibrate
from taae.benchmark.jobs import Job, list_jobs, rule_of, total_time
from taae.benchmark.shards import CUT, LISTING, SHARD, prepares, shard_count, with_shards
from taae.benchmark.speech import Amount, speech_by_test
from taae.benchmark.storage import BASIS, DECODINGS, TRAININGS, Stored, points_of, stored_by
from taae.benchmark.train_speed import PASSES
from taae.corpus.config import MAIN
from taae.evaluation.robustness.conditions import conditions
from taae.evaluation.scoring.error_rates import ERROR_RATES
from taae.study.checks import check_computable
from taae.study.load import DEMO, resolve
from taae.study.overlay import layered
from taae.study.study import Study
from taae.training.config import Variant
from taae.training.trainer import VALIDATION_SEGMENTS
from taae.utils.files import read_csv, write_csv
from taae.utils.options import Count, Whole


def plan(
    *,
    study: Annotated[list[Path], Parameter(name=("--study", "--configfile"))] = DEMO,
    cores: Count | None = None,
    nodes: Count = 1,
    gpus: Whole | None = None,
    gpu_tflops: float = 0.0,
    train_hours: float = 0.0,
    corpus_rate: float = 0.0,
    results: Path | None = None,
    output: Path | None = None,
) -> None:
    """Calibrate, print a table of the arms and the totals, and write one row per job.

    Args:
        study: config files, laid over each other.
        cores: of a node; by itself this machine's.
        nodes: that the jobs share.
        gpus: of all nodes; by itself what one job takes.
        gpu_tflops: that a GPU reaches in training, where this machine has none: about a third of
            what its maker promises for large models, far less for small ones.
        train_hours: of training speech, where the recordings are not here.
        corpus_rate: hours of speech that one core prepares in an hour; by itself as measured here,
            of recordings on FLAC files of 16 kHz.
        results: of a run, to compare the prediction with.
        output: CSV, one row per job.
    """
    config, cores = layered(study), cores or os.cpu_count() or 1
    resolved = resolve(config)
    check_computable(resolved)  # said now, not after the training steps
    speech = speech_by_test(resolved, train_hours)
    jobs = with_shards(list_jobs(config, cores), resolved, speech[MAIN])
    shard = speech[MAIN].part(shard_count(resolved, speech[MAIN]))
    found = calibrate(resolved, cores, rate=1e12 * gpu_tflops)
    measured = "measured here"
    if corpus_rate:
        found, measured = replace(found, corpus=1 / corpus_rate), "as told"
    rows, stored = [], list[Stored]()
    for job in jobs:
        cost = found.trainings.get(job.arm)
        spoken = shard if job.rule == SHARD else speech[job.wildcards.get("test", MAIN)]
        seconds, spent = job_seconds(job, resolved, found, spoken), _measured(job, results)
        left = stored_by(job, resolved, spoken)
        stored += left
        rows.append(
            {
                "job": job.name,
                "rule": job.rule,
                "arm": job.arm,
                "seconds": round(seconds, 1),
                "memory_mib": round(job_mib(job, resolved, found), 1),
                "disk_mib": round(sum(each.mib for each in left), 1),
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
    for part in (summary(table, "arm"), summary(table, "rule"), storage(stored)):
        print(part.to_string(index=False, na_rep="-"), end="\n\n")
    preparing = [job for job in jobs if "test" not in job.wildcards and prepares(job, resolved)]
    print(corpus_line(preparing, speech[MAIN], found.corpus, measured, cores * nodes))
    if not math.isnan(off := off_percent(table)):
        print(f"all measured jobs: off by {off:+.1f} %")
    memory = table["memory_mib"].max() / 1024
    print(f"largest job {memory:.1f} GiB, measured or as its rule requests")
    if table["seconds"].isna().any():
        print("some arms train on a GPU, and there is none here: give --gpu-tflops")
    else:
        gpus = max(job.gpus for job in jobs) if gpus is None else gpus
        taken = dict(zip(table["job"], table["seconds"], strict=True))
        took = total_time(jobs, taken, cores * nodes, gpus)
        on_gpus = table[table["gpus"] > 0]
        hours = (on_gpus["seconds"] * on_gpus["gpus"]).sum() / 3600
        basis = " and ".join(on_gpus["basis"].unique()) or "none"
        print(f"{len(jobs)} jobs, {hours:,.1f} GPU hours ({basis})")
        print(f"on {cores * nodes} cores and {gpus} GPUs: about {duration(took)} from start to end")
    if any(variant.training.perceptual.share for variant in resolved.variants.values()):
        print("note: what WavLM takes in the perceptual stage is not in these figures")


def storage(stored: Sequence[Stored]) -> pd.DataFrame:
    """Return a row per kind of file, and one of all: how many files, and GiB."""
    table = pd.DataFrame(stored).groupby("what", sort=False, as_index=False).sum()
    table.loc[len(table)] = ["all", *table[["files", "mib"]].sum()]
    return pd.DataFrame(
        {
            "stored": table["what"],
            "files": table["files"].round().astype(int),
            "GiB": (table["mib"] / 1024).round(2),
            "basis": table["what"].map(BASIS).fillna(""),
        }
    )


def corpus_line(
    jobs: Sequence[Job], speech: Amount, per_second: float, basis: str, cores: int
) -> str:
    """Say how much speech there is, and what the jobs that prepare it take on so many cores.

    `per_second` is CPU seconds per second, and `basis` where it is from.
    """
    busy = min(cores, sum(job.cores for job in jobs))
    spent = speech.hours * per_second
    return (
        f"corpus: {speech.hours:,.1f} h of speech in {sum(speech.utterances.values()):,.0f}"
        f" utterances ({speech.basis})\n"
        f"to prepare it: {spent:,.1f} core hours, at {1 / per_second:,.0f} h per core hour"
        f" ({basis}); {duration(3600 * spent / busy)} on {busy} cores, jobs: {len(jobs)}"
    )


def duration(seconds: float) -> str:
    """Return a time in minutes, hours or days."""
    minutes = seconds / 60
    if minutes < 120:
        return f"{minutes:.1f} min"
    return f"{minutes / 60:.1f} h" if minutes < 60 * 72 else f"{minutes / 60 / 24:,.0f} days"


def training_seconds(variant: Variant, cost: TrainingCost) -> float:
    """Return what the steps and validations of a training take."""
    training = variant.training
    adversarial = training.steps - training.first_step(training.discriminator.share)
    validations = -(-training.steps // training.validate_every)
    share = training.batch / training.all_processes  # of the batch, in one process's step
    steps = training.steps + validations * VALIDATION_SEGMENTS / share / PASSES
    return steps * cost.step + adversarial * (cost.adversarial_step - cost.step)


def job_seconds(job: Job, study: Study, found: Calibration, speech: Amount) -> float:
    """Return the time of a job, start included; most take little else.

    `speech` is that of its test set, of the main one of all splits, or of its shard.
    """
    if not job.outputs:  # such as `all`, which runs nothing
        return 0.0
    test, cost = speech.seconds["test"], found.trainings.get(job.arm)

    def scoring(metrics: list[str]) -> float:
        return sum(found.scoring.get(name, 0.0) for name in metrics)

    rule, points = rule_of(job), points_of(job, study)
    if rule in ("score", "score_points", "score_other_codec"):
        each = (scoring(study.metrics_at(point)) for point in points)
        return found.start_scoring + test * sum(each)
    hearing = max(found.scoring.get(name, 0.0) for name in ERROR_RATES)  # an equal share each
    preparing = 3600 * speech.hours * found.corpus / job.cores
    work = {
        **({rule: preparing} if prepares(job, study) else {}),
        CUT: LISTING * sum(speech.utterances.values()),
        "hear": test * len(ERROR_RATES) * hearing,
    }
    if cost:
        fitted = min(study.bitrates.fit_minutes * 60 or math.inf, speech.seconds.get("train", 0.0))
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


def job_mib(job: Job, study: Study, found: Calibration) -> float:
    """Return the memory of a job on each node, as measured, else as its rule requests; or NaN."""
    if job.rule not in TRAININGS or math.isnan(found.trainings[job.arm].memory):
        return job.requested_mib
    training = study.variant(job.arm).training
    held = 1 if training.gpus else training.processes  # each GPU has a memory of its own
    return held * found.trainings[job.arm].memory


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
