"""The jobs of a study, as `snakemake --dry-run --forceall` lists them.

In Snakemake 9.27 `--dag` and `--d3dag` print neither threads nor resources, `--summary` prints
files, and a logger plugin is a package of its own that has to be installed. The text of a dry run
has everything: a block of `key: value` lines per job. The total that it states is checked.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from taae.utils.errors import TaaeError

SNAKEFILE = Path(__file__).parents[3] / "Snakefile"
PATHS = {"path", "manifest", "weights", "pretrained"}  # keys of a study that name files or folders
# A rule, and the indented lines below it.
BLOCK = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):\n((?: {4}.+\n)*)", re.MULTILINE)
FIELD = re.compile(r"^ {4}(\w+): (.+)$", re.MULTILINE)
TOTAL = re.compile(r"^total +(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """A job of Snakemake.

    Attributes:
        rule: its name.
        wildcards: their values by name.
        inputs: files that it reads.
        outputs: files that it writes.
        benchmark: file of the time and memory that Snakemake measures; empty: it measures none.
        threads: CPU cores.
        resources: as text, by name.
    """

    rule: str
    wildcards: dict[str, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    benchmark: str = ""
    threads: int = 1
    resources: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Rule and wildcards, which no other job has."""
        return "/".join([self.rule, *self.wildcards.values()])

    @property
    def arm(self) -> str:
        """The variant or other codec that it is for; empty: all."""
        return self.wildcards.get("variant") or self.wildcards.get("codec", "")

    @property
    def cores(self) -> int:
        """CPU cores on all nodes together."""
        tasks = int(self.resources.get("tasks_per_node", 1))
        return self.threads * tasks * int(self.resources.get("nodes", 1))

    @property
    def gpus(self) -> int:
        """GPUs on all nodes together."""
        return int(self.resources.get("gpu", 0))

    @property
    def requested_mib(self) -> float:
        """Memory that the rule requests on each node; NaN: none."""
        return float(self.resources.get("mem_mib", math.nan))


def list_jobs(config: dict[str, Any], cores: int) -> list[Job]:
    """Return all jobs of a study, whatever has been run.

    Nothing is written where the study is: Snakemake plans in a folder of its own, with the
    study's relative paths made absolute.

    Args:
        config: a whole study, its config files laid over each other.
        cores: that the jobs share; Snakemake lowers the threads of a job to them.

    Raises:
        TaaeError: Snakemake is missing or refuses the study.
    """
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study.yaml"
        study.write_text(yaml.safe_dump(_with_absolute_paths(config)), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--forceall", "--nocolor"]
        command += ["--snakefile", str(SNAKEFILE), "--directory", folder, "--cores", str(cores)]
        command += ["--configfile", str(study), "--replace-workflow-config"]
        command += ["--profile", "none", "--workflow-profile", "none"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = " ".join(f"{done.stdout}\n{done.stderr}".split("\n")[-6:])
        raise TaaeError(f"plan: snakemake --dry-run failed: {' '.join(reason.split())}")
    return parse(done.stdout)


def parse(text: str) -> list[Job]:
    """Return the jobs that a dry run lists, in its order.

    Raises:
        TaaeError: they are not as many as the text says.
    """
    jobs = [_job(block[1], dict(FIELD.findall(block[2]))) for block in BLOCK.finditer(text)]
    total = TOTAL.search(text)
    if total is None or int(total[1]) != len(jobs):
        stated = total[1] if total else "no number of"
        raise TaaeError(
            f"plan: snakemake --dry-run states {stated} jobs, of which {len(jobs)} could be read;"
            " use the version of Snakemake that pyproject.toml names"
        )
    return jobs


def _job(rule: str, block: dict[str, str]) -> Job:
    def words(key: str) -> tuple[str, ...]:
        return tuple(block[key].split(", ")) if key in block else ()

    def pairs(key: str) -> dict[str, str]:
        return dict(word.split("=", 1) for word in words(key))

    threads, benchmark = int(block.get("threads", 1)), block.get("benchmark", "")
    lists = words("input"), words("output")
    return Job(rule, pairs("wildcards"), *lists, benchmark, threads, pairs("resources"))


def _with_absolute_paths(section: dict[str, Any]) -> dict[str, Any]:
    """Return a config whose existing files and folders are named from the root."""
    found = {}
    for key, value in section.items():
        if isinstance(value, dict):
            value = _with_absolute_paths(value)
        elif key in PATHS and value and Path(value).exists():
            value = str(Path(value).absolute())
        found[key] = value
    return found
