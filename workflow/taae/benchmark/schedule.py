"""Jobs on cores and GPUs: when each begins if every one starts as soon as it can."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from taae.utils.errors import TaaeError


@dataclass(frozen=True)
class Job:
    """A job of a study and what it will take.

    Attributes:
        name: that of its file below results/benchmarks, without .tsv; others have one of their own.
        arm: the variant or codec that it is for; empty: all.
        seconds: NaN where nothing can be said.
        memory: MiB; of a training over nodes, on each of them.
        disk: MiB that it leaves.
        after: names of the jobs whose files it reads.
        basis: calibrated, extrapolated, or estimated.
    """

    name: str
    arm: str
    seconds: float
    memory: float = 0.0
    disk: float = 0.0
    threads: int = 1
    gpus: int = 0
    after: tuple[str, ...] = ()
    basis: str = "estimated"

    @property
    def stage(self) -> str:
        """The first part of the name."""
        return self.name.split("/")[0]


def makespan(jobs: Sequence[Job], cores: int, gpus: int) -> float:
    """Return the seconds until the last job ends (list scheduling).

    Whenever something ends, the jobs that are ready are started in their order, as many as fit.
    One that wants more threads than there are cores gets them all, as Snakemake does it.

    Raises:
        TaaeError: a job needs more GPUs than there are.
    """
    for job in jobs:
        if job.gpus > gpus:
            raise TaaeError(
                f"plan: {job.name} needs {job.gpus} GPU(s), and there are {gpus} (--gpus)"
            )
    waiting = list(jobs)
    running: list[tuple[float, int, Job]] = []
    names, done = {job.name for job in jobs}, set[str]()
    now, free_cores, free_gpus = 0.0, cores, gpus
    while waiting or running:
        for job in list(waiting):
            threads = min(job.threads, cores)
            ready = all(name in done or name not in names for name in job.after)
            if ready and threads <= free_cores and job.gpus <= free_gpus:
                waiting.remove(job)
                free_cores, free_gpus = free_cores - threads, free_gpus - job.gpus
                heapq.heappush(running, (now + job.seconds, len(waiting), job))
        now, _, ended = heapq.heappop(running)
        done.add(ended.name)
        free_cores, free_gpus = free_cores + min(ended.threads, cores), free_gpus + ended.gpus
    return now
