"""`taae plan`: what every arm of a study will take, and how far off that was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from taae.benchmark.calibrate import calibrate
from taae.benchmark.dry_run import Job, list_jobs
from taae.benchmark.estimate import Estimate, audio_seconds, estimate
from taae.benchmark.schedule import total_time
from taae.study.load import resolve
from taae.utils.files import read_csv, write_csv

COLUMNS = [
    *("job", "rule", "arm", "seconds", "memory_mib", "disk_mib", "threads", "gpus", "basis"),
    *("measured_seconds", "measured_memory_mib", "off_percent"),
]
TRAIN = "train"


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
    estimates = [estimate(job, study, found, audio) for job in jobs]
    table = tabulate(jobs, estimates, results)
    if output:
        write_csv(table, output)
    print(by_arm(table).to_string(index=False, na_rep="-"))
    _print_totals(table)
    if table["seconds"].isna().any():
        print("some arms train on a GPU, and there is none here: give --gpu-tflops")
    else:
        gpus = max(job.gpus for job in jobs) if gpus is None else gpus
        seconds = {job.name: each.seconds for job, each in zip(jobs, estimates, strict=True)}
        minutes = total_time(jobs, seconds, cores, gpus) / 60
        print(f"on {cores} cores and {gpus} GPUs: about {minutes:.1f} min from start to end")
    if any(variant.training.perceptual.share for variant in study.variants.values()):
        print("note: what WavLM takes in the perceptual stage is not in these figures")
    return table


def tabulate(
    jobs: Sequence[Job], estimates: Sequence[Estimate], results: Path | None
) -> pd.DataFrame:
    """Return one row of `COLUMNS` per job, with what it took where a run has it."""
    rows = []
    for job, each in zip(jobs, estimates, strict=True):
        seconds, memory = measured(job, results)
        rows.append(
            (
                *(job.name, job.rule, job.arm),
                *(round(each.seconds, 1), round(each.memory, 1), round(each.disk, 1)),
                *(job.cores, job.gpus, each.basis),
                *(seconds, memory, off_percent(each.seconds, seconds)),
            )
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def measured(job: Job, results: Path | None) -> tuple[float, float]:
    """Return the seconds and MiB (largest resident set) of a job that was run, else NaN."""
    if not (results and job.benchmark):
        return math.nan, math.nan
    path = results / Path(job.benchmark).relative_to("results")
    if not path.exists():
        return math.nan, math.nan
    row = read_csv(path, ["s", "max_rss"], separator="\t").iloc[-1]
    return float(row["s"]), float(pd.to_numeric(row["max_rss"], errors="coerce"))


def off_percent(predicted: float, measured: float) -> float:
    """Return by how many percent a prediction was too high."""
    return round(100 * (predicted / measured - 1), 1) if measured else math.nan


def by_arm(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row per arm: minutes of its trainings and of all else, their memory, disk."""
    rows = []
    for arm, own in table.groupby("arm", sort=False):
        trained = own["rule"] == TRAIN
        rows.append(
            {
                "arm": arm or "(all)",
                "trainings": int(trained.sum()),
                "training_min": own.loc[trained, "seconds"].sum(skipna=False) / 60,
                "training_mib": own.loc[trained, "memory_mib"].max(),
                "other_min": own.loc[~trained, "seconds"].sum(skipna=False) / 60,
                "disk_mib": own["disk_mib"].sum(),
                "basis": own["basis"].iloc[0],
                "training_off_%": _off_percent_of_sum(own[trained]),
            }
        )
    return pd.DataFrame(rows).round(1)


def _off_percent_of_sum(rows: pd.DataFrame) -> float:
    """Return the error of the sum over the jobs that were measured."""
    known = rows[rows["measured_seconds"].notna()]
    return off_percent(float(known["seconds"].sum()), float(known["measured_seconds"].sum()))


def _print_totals(table: pd.DataFrame) -> None:
    for rule, rows in table.groupby("rule", sort=False):
        error = _off_percent_of_sum(rows)
        beside = "" if math.isnan(error) else f", off by {error:+.1f} % where measured"
        seconds = float(rows["seconds"].sum(skipna=False))
        spent = "unknown time" if math.isnan(seconds) else f"{seconds / 60:.1f} min"
        print(f"{rule}: {len(rows)} jobs, {spent}{beside}")
    error = _off_percent_of_sum(table)
    if not math.isnan(error):
        print(f"all measured jobs: off by {error:+.1f} %")
    memory, disk = table["memory_mib"].max() / 1024, table["disk_mib"].sum() / 1024
    print(f"largest job {memory:.1f} GiB, measured or as its rule requests; disk {disk:.2f} GiB")
