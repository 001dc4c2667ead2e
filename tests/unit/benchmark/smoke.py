"""The jobs of the smoke study, listed once for all tests."""

from __future__ import annotations

from functools import cache

from taae.benchmark.jobs import Job, list_jobs
from taae.study.overlay import layered
from tests.unit.training.trainings import ROOT

SMOKE = [ROOT / "config.yaml", ROOT / "workflow" / "studies" / "smoke.yaml"]


@cache
def smoke_jobs() -> list[Job]:
    """Ask Snakemake, for two cores."""
    return list_jobs(layered(SMOKE), 2)
