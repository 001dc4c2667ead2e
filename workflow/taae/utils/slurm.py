"""What the nodes of a SLURM cluster have, so that a request they cannot meet is never made."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

DEFAULT = ""  # the partition of jobs that name none


def largest_nodes() -> dict[str, int]:
    """Return the CPUs of the largest node of each partition, `DEFAULT` included.

    Empty where SLURM cannot be asked: its own refusal has to do then.
    """
    command = ["sinfo", "--noheader", "--exact", "--format=%P %c"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    found: dict[str, int] = {}
    for line in done.stdout.splitlines():
        name, cpus = line.split()
        for each in {name.removesuffix("*"), DEFAULT if name.endswith("*") else name}:
            found[each] = max(found.get(each, 0), int(cpus.removesuffix("+")))
    return found


def too_few_cpus(asked: int, partition: str | None, largest: Mapping[str, int]) -> str:
    """Say which key to edit where no node has the CPUs that a job asks for; empty: one has.

    Args:
        partition: its name, or several between commas; None: the default.
        largest: what `largest_nodes` returned.
    """
    names = (partition or DEFAULT).split(",")
    most = max((largest[name] for name in names if name in largest), default=asked)
    if asked <= most:
        return ""
    return (
        f"it asks for {asked} CPUs, but no node of SLURM's partition {partition or '(default)'} has"
        f" more than {most}; set `cores: {most}` in slurm/config.yaml, or another slurm_partition"
    )
