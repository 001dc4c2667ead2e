"""`taae plan`: what every arm of a study will take, and how far off that was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from taae.benchmark.calibrate import calibrate
from taae.benchmark.jobs import durations, jobs
from taae.benchmark.schedule import Job, makespan
from taae.study.study import Study
from taae.utils.files import read_csv, write_csv

COLUMNS = [
    *("job", "stage", "arm", "seconds", "memory_mib", "disk_mib", "threads", "gpus", "basis"),
    *("measured_seconds", "measured_memory_mib", "off_percent"),
]
TRAIN = "train"


def plan(
    study: Study,
    cores: int,
    gpus: int | None = None,
    rate: float = 0.0,
    results: Path | None = None,
    output: Path | None = None,
) -> pd.DataFrame:
    """Calibrate, print a table of the arms and the totals, and return one row per job.

    Args:
        study: what is planned.
        cores: CPU cores that the jobs share.
        gpus: GPUs that they share; None: as many as one job takes.
        rate: FLOP/s that a GPU trains at, for GPU arms where this machine has none; 0: unknown.
        results: folder of a run, whose times stand beside the predicted ones.
        output: CSV for the rows.
    """
    prepared = results / "corpus" / "corpus.json" if results else None
    seconds = durations(study.corpus, prepared)
    planned = jobs(study, calibrate(study, cores, rate), seconds, cores)
    table = tabulate(planned, results)
    if output:
        write_csv(table, output)
    print(by_arm(table).to_string(index=False, na_rep="-"))
    most = max(job.gpus for job in planned)
    _print_totals(table, planned, cores, most if gpus is None else gpus)
    if any(variant.training.perceptual.share for variant in study.variants.values()):
        print("note: what WavLM takes in the perceptual stage is not in these figures")
    return table


def tabulate(planned: Sequence[Job], results: Path | None) -> pd.DataFrame:
    """Return one row of `COLUMNS` per job, with what it took where a run has it."""
    rows = []
    for job in planned:
        spent, held = measured(job, results)
        rows.append(
            {
                "job": job.name,
                "stage": job.stage,
                "arm": job.arm,
                "seconds": round(job.seconds, 1),
                "memory_mib": round(job.memory, 1),
                "disk_mib": round(job.disk, 1),
                "threads": job.threads,
                "gpus": job.gpus,
                "basis": job.basis,
                "measured_seconds": spent,
                "measured_memory_mib": held,
                "off_percent": off(job.seconds, spent),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def measured(job: Job, results: Path | None) -> tuple[float, float]:
    """Return the seconds and MiB (largest resident set) of a job that was run, else NaN."""
    path = results / "benchmarks" / f"{job.name}.tsv" if results else None
    if path is None or not path.exists():
        return math.nan, math.nan
    row = read_csv(path, ["s", "max_rss"], separator="\t").iloc[-1]
    return float(row["s"]), float(pd.to_numeric(row["max_rss"], errors="coerce"))


def off(predicted: float, spent: float) -> float:
    """Return by how many percent a prediction was too high."""
    return round(100 * (predicted / spent - 1), 1) if spent else math.nan


def by_arm(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row per arm: minutes of its trainings and of all else, peak memory, disk."""
    rows = []
    for arm, own in table.groupby("arm", sort=False):
        trained = own["stage"] == TRAIN
        rows.append(
            {
                "arm": arm or "(all)",
                "trainings": int(trained.sum()),
                "training_min": own.loc[trained, "seconds"].sum(skipna=False) / 60,
                "other_min": own.loc[~trained, "seconds"].sum(skipna=False) / 60,
                "memory_mib": own["memory_mib"].max(),
                "disk_mib": own["disk_mib"].sum(),
                "basis": own["basis"].iloc[0],
                "training_off_%": _off(own[trained]),
            }
        )
    return pd.DataFrame(rows).round(1)


def _off(rows: pd.DataFrame) -> float:
    """Return the error of the sum over the jobs that were measured."""
    known = rows[rows["measured_seconds"].notna()]
    return off(float(known["seconds"].sum()), float(known["measured_seconds"].sum()))


def _print_totals(table: pd.DataFrame, planned: Sequence[Job], cores: int, gpus: int) -> None:
    for stage, rows in table.groupby("stage", sort=False):
        error = _off(rows)
        beside = "" if math.isnan(error) else f", off by {error:+.1f} % where measured"
        seconds = float(rows["seconds"].sum(skipna=False))
        spent = "unknown time" if math.isnan(seconds) else f"{seconds / 60:.1f} min"
        print(f"{stage}: {len(rows)} jobs, {spent}{beside}")
    error = _off(table)
    if not math.isnan(error):
        print(f"all measured jobs: off by {error:+.1f} %")
    peak, disk = table["memory_mib"].max(), table["disk_mib"].sum()
    if table["seconds"].isna().any():
        print("some arms train on a GPU, and there is none here: give --gpu-tflops")
    else:
        wall = makespan(planned, cores, gpus)
        print(f"on {cores} cores and {gpus} GPUs: about {wall / 60:.1f} min from start to end")
    least = "at least " if table["memory_mib"].isna().any() else ""
    print(f"largest job {least}{peak / 1024:.1f} GiB; disk {disk / 1024:.2f} GiB at most")
