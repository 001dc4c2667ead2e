"""Jobs on cores and GPUs: when each begins if every one starts as soon as it can."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from taae.benchmark.dry_run import Job
from taae.utils.errors import TaaeError


def total_time(jobs: Sequence[Job], seconds: Mapping[str, float], cores: int, gpus: int) -> float:
    """Return the seconds from the first start to the last end (list scheduling).

    Whenever a job ends, the jobs whose inputs are there start in their order, as many as fit. A job
    that wants more cores than there are gets them all, as with Snakemake.

    Args:
        jobs: of a study.
        seconds: of each job, by its name.
        cores: that the jobs share.
        gpus: that the jobs share.

    Raises:
        TaaeError: a job needs more GPUs than there are.
    """
    for job in jobs:
        if job.gpus > gpus:
            raise TaaeError(
                f"plan: {job.name} needs {job.gpus} GPU(s), and there are {gpus} (--gpus)"
            )
    missing = {path for job in jobs for path in job.outputs}
    waiting = list(jobs)
    running: list[tuple[float, int, Job]] = []
    now, free_cores, free_gpus = 0.0, cores, gpus
    while waiting or running:
        for job in list(waiting):
            needed = min(job.cores, cores)
            ready = missing.isdisjoint(job.inputs)
            if ready and needed <= free_cores and job.gpus <= free_gpus:
                waiting.remove(job)
                free_cores, free_gpus = free_cores - needed, free_gpus - job.gpus
                heapq.heappush(running, (now + seconds[job.name], len(waiting), job))
        now, _, ended = heapq.heappop(running)
        missing -= set(ended.outputs)
        free_cores, free_gpus = free_cores + min(ended.cores, cores), free_gpus + ended.gpus
    return now
