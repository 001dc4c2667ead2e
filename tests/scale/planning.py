"""Time Snakemake's planning of studies of many arms: a dry run of the real Snakefile.

python -m tests.scale.planning 1000 5000 10000 20000
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.scale.arms import many_arms
from tests.workflow.conftest import ROOT

SEEDS, RULES = 3, 3  # jobs of each arm: train, decode and score with each seed


def planned(jobs: int, folder: Path) -> dict[str, float]:
    """Plan about so many jobs; return their number, CPU seconds and the largest memory in MiB."""
    study, log = folder / "study.json", folder / "log"
    overlay = many_arms(jobs // (SEEDS * RULES), SEEDS)
    # Nothing but the arms: no trunk, no other codecs, no piece of another study.
    overlay |= {"training": {"start": "scratch"}, "lengths": {"seconds": []}}
    overlay |= {"bitrates": {"ablations": []}}
    study.write_text(json.dumps(overlay))
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "2"]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    with log.open("wb") as file:
        run = subprocess.Popen([*command, "--configfile", str(study)], stdout=file, stderr=file)
        _, status, used = os.wait4(run.pid, 0)
    text = log.read_text()
    assert status == 0, text[-2000:]
    found = re.search(r"^total +(\d+)$", text, re.MULTILINE)
    assert found
    return {
        "jobs": int(found[1]),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "mib": round(used.ru_maxrss / 1024),
    }


def main() -> None:
    """Print a JSON line for each number of jobs."""
    for jobs in map(int, sys.argv[1:] or ["1000"]):
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(planned(jobs, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
