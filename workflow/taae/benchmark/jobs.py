"""The jobs of a study, as `snakemake --dry-run --forceall` lists them, and how long all take.

In Snakemake 9.27 `--dag` and `--d3dag` print neither threads nor resources, `--summary` prints
files, and a logger plugin is a package of its own that has to be installed. The text of a dry run
has everything: a block of `key: value` lines per job. The total that it states is checked.
"""

from __future__ import annotations

import heapq
import json
import math
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taae.training.config import TRUNK
from taae.utils.errors import TaaeError

SNAKEFILE = Path(__file__).parents[3] / "Snakefile"
PATHS = {"path", "manifest", "weights", "pretrained"}  # keys of a study that name files or folders
# A rule, and the indented lines below it.
BLOCK = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):\n((?: {4}.+\n)*)", re.MULTILINE)
FIELD = re.compile(r"^ {4}(\w+): (.+)$", re.MULTILINE)
TOTAL = re.compile(r"^total +(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """A job of Snakemake, with the CPU cores and GPUs that it has on all nodes together."""

    rule: str
    wildcards: dict[str, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    benchmark: str = ""  # file of the time and memory that Snakemake measures, if it does
    cores: int = 1
    gpus: int = 0
    requested_mib: float = math.nan  # memory that the rule requests on each node, if it does

    @property
    def name(self) -> str:
        """Rule and wildcards, which no other job has."""
        return "/".join([self.rule, *self.wildcards.values()])

    @property
    def arm(self) -> str:
        """The variant, other codec or trunk that it is for; empty: all."""
        if self.rule == TRUNK:
            return TRUNK
        return self.wildcards.get("variant") or self.wildcards.get("codec", "")


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
    text = json.dumps(json.loads(json.dumps(config), object_hook=_with_absolute_paths))
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study.json"
        study.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--forceall", "--nocolor"]
        command += ["--snakefile", str(SNAKEFILE), "--directory", folder, "--cores", str(cores)]
        command += ["--configfile", str(study), "--replace-workflow-config"]
        command += ["--profile", "none", "--workflow-profile", "none"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = " ".join(f"{done.stdout}\n{done.stderr}".split("\n")[-6:])
        raise TaaeError(f"plan: snakemake --dry-run failed: {' '.join(reason.split())}")
    return parse(done.stdout)


def _with_absolute_paths(section: dict[str, Any]) -> dict[str, Any]:
    """Return a section of a study with its existing files and folders named from the root."""
    texts = {key: section[key] for key in PATHS & section.keys()}
    # A variant may be called as one of the keys.
    named = {key: Path(text) for key, text in texts.items() if text and isinstance(text, str)}
    return section | {key: str(path.absolute()) for key, path in named.items() if path.exists()}


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
    words = {key: tuple(text.split(", ")) for key, text in block.items()}
    wildcards, resources = (
        dict(word.split("=", 1) for word in words.get(key, ()))
        for key in ("wildcards", "resources")
    )
    tasks = int(resources.get("nodes", 1)) * int(resources.get("tasks_per_node", 1))
    return Job(
        rule,
        wildcards,
        inputs=words.get("input", ()),
        outputs=words.get("output", ()),
        benchmark=block.get("benchmark", ""),
        cores=tasks * int(block.get("threads", 1)),
        gpus=int(resources.get("gpu", 0)),
        requested_mib=float(resources.get("mem_mib", math.nan)),
    )


def rule_of(job: Job) -> str:
    """Return the rule of a job; of another test set that of the main one, which does the same."""
    return job.rule.removesuffix("_test")


def total_time(jobs: Sequence[Job], seconds: Mapping[str, float], cores: int, gpus: int) -> float:
    """Return the seconds from the first start to the last end (list scheduling).

    Whenever a job ends, the jobs whose inputs are there start in their order, as many as fit. A job
    that wants more cores than there are gets them all, as with Snakemake. `seconds` is by name.

    Raises:
        TaaeError: a job needs more GPUs than there are.
    """
    for job in jobs:
        if job.gpus > gpus:
            raise TaaeError(
                f"plan: {job.name} needs {job.gpus} GPU(s), and there are {gpus} (--gpus)"
            )
    made = {path for job in jobs for path in job.outputs}
    missing = [made.intersection(job.inputs) for job in jobs]
    readers = defaultdict(list)
    for place, paths in enumerate(missing):
        for path in paths:
            readers[path].append(place)
    # Places of jobs whose inputs are there, by the cores and GPUs that each wants.
    ready = defaultdict[tuple[int, int], list[int]](list)

    def release(place: int) -> None:
        job = jobs[place]
        heapq.heappush(ready[min(job.cores, cores), job.gpus], place)

    for place, paths in enumerate(missing):
        if not paths:
            release(place)
    running, now, free_cores, free_gpus = list[tuple[float, int]](), 0.0, cores, gpus
    while any(ready.values()) or running:
        while fitting := [
            (places[0], wanted)
            for wanted, places in ready.items()
            if places and wanted[0] <= free_cores and wanted[1] <= free_gpus
        ]:
            place, wanted = min(fitting)
            heapq.heappop(ready[wanted])
            free_cores, free_gpus = free_cores - wanted[0], free_gpus - wanted[1]
            heapq.heappush(running, (now + seconds[jobs[place].name], place))
        now, place = heapq.heappop(running)
        ended = jobs[place]
        free_cores, free_gpus = free_cores + min(ended.cores, cores), free_gpus + ended.gpus
        for path in ended.outputs:
            for reader in readers[path]:
                missing[reader].discard(path)
                if not missing[reader]:
                    release(reader)
    return now
