"""`taae plan`: what every arm of a study will take, and how far off that was."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from taae.benchmark.calibrate import Calibration, calibrate
from taae.benchmark.dry_run import Job, list_jobs
from taae.benchmark.estimate import audio_seconds, disk_mib, job_mib, job_seconds
from taae.benchmark.schedule import total_time
from taae.study.load import resolve
from taae.study.study import Study
from taae.utils.files import read_csv, write_csv


def plan(
    config: dict[str, Any],
    cores: int,
    gpus: int | None = None,
    rate: float = 0.0,
    results: Path | None = None,
    output: Path | None = None,
) -> pd.DataFrame:
    """Calibrate, print a table of the arms and the totals, and return one row per job.

    Args:
        config: of the study that is planned, its config files laid over each other.
        cores: CPU cores that the jobs share.
        gpus: GPUs that the jobs share; None: as many as one job takes.
        rate: FLOP/s that a GPU trains at, for GPU arms where this machine has none; 0: unknown.
        results: folder of a run, whose times stand beside the predicted ones.
        output: CSV for the rows.
    """
    study = resolve(config)
    jobs = list_jobs(config, cores)
    audio = audio_seconds(study.corpus, results / "corpus" / "corpus.json" if results else None)
    found = calibrate(study, cores, rate)
    table = pd.DataFrame([_row(job, study, found, audio, results) for job in jobs])
    if output:
        write_csv(table, output)
    for column in ("arm", "rule"):
        print(summary(table, column).to_string(index=False, na_rep="-"), end="\n\n")
    off = off_percent(table)
    if not math.isnan(off):
        print(f"all measured jobs: off by {off:+.1f} %")
    memory, disk = table["memory_mib"].max() / 1024, table["disk_mib"].sum() / 1024
    print(f"largest job {memory:.1f} GiB, measured or as its rule requests; disk {disk:.2f} GiB")
    if table["seconds"].isna().any():
        print("some arms train on a GPU, and there is none here: give --gpu-tflops")
    else:
        gpus = max(job.gpus for job in jobs) if gpus is None else gpus
        seconds = dict(zip(table["job"], table["seconds"], strict=True))
        minutes = total_time(jobs, seconds, cores, gpus) / 60
        print(f"on {cores} cores and {gpus} GPUs: about {minutes:.1f} min from start to end")
    if any(variant.training.perceptual.share for variant in study.variants.values()):
        print("note: what WavLM takes in the perceptual stage is not in these figures")
    return table


def _row(
    job: Job, study: Study, found: Calibration, audio: dict[str, float], results: Path | None
) -> dict[str, object]:
    """Return the prediction of a job, and what it took where a run has it."""
    seconds, (spent, held) = job_seconds(job, study, found, audio), _measured(job, results)
    cost = found.trainings.get(job.arm)
    return {
        "job": job.name,
        "rule": job.rule,
        "arm": job.arm,
        "seconds": round(seconds, 1),
        "memory_mib": round(job_mib(job, study, found), 1),
        "disk_mib": round(disk_mib(job, study, audio), 1),
        "threads": job.cores,
        "gpus": job.gpus,
        "basis": cost.basis if cost else "estimated",
        "measured_seconds": spent,
        "measured_memory_mib": held,
        "off_percent": round(100 * (seconds / spent - 1), 1) if spent else math.nan,
    }


def _measured(job: Job, results: Path | None) -> tuple[float, float]:
    """Return the seconds and MiB (largest resident set) of a job that was run, else NaN."""
    if results and job.benchmark:
        path = results / Path(job.benchmark).relative_to("results")
        if path.exists():
            row = read_csv(path, ["s", "max_rss"], separator="\t").iloc[-1]
            return float(row["s"]), float(pd.to_numeric(row["max_rss"], errors="coerce"))
    return math.nan, math.nan


def summary(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return a row per arm or rule: minutes of all jobs and of trainings, memory, disk."""
    rows = []
    for name, jobs in table.groupby(column, sort=False):
        trainings = jobs[jobs["rule"] == "train"]
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
                "training_off_%": off_percent(trainings),
            }
        )
    return pd.DataFrame(rows).round(1)


def off_percent(rows: pd.DataFrame) -> float:
    """Return by how many percent the sum over measured jobs was predicted too high."""
    known = rows[rows["measured_seconds"].notna()]
    spent = float(known["measured_seconds"].sum())
    return 100 * (float(known["seconds"].sum()) / spent - 1) if spent else math.nan
