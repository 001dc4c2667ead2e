"""One run of the smoke study in a copy of the repository, shared by the tests of this folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config.yaml", "workflow", "envs", "slurm", "cloud")
SMOKE = "workflow/studies/smoke.yaml"
PATIENCE = 1800  # seconds; reached where something hangs, not where a machine is busy


class Clone:
    """A copy of the workflow that a test may run and edit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, folder / part, ignore=ignore)
            else:
                shutil.copy(source, folder / part)

    def start(
        self, *arguments: str, study: str = SMOKE, cores: int | None = 2
    ) -> subprocess.Popen[str]:
        """Start Snakemake and do not wait for it; otherwise as `snakemake`."""
        command = [sys.executable, "-m", "snakemake"]
        command += [word for word in arguments if word.startswith("-")]
        command += [] if cores is None else ["--cores", str(cores)]
        command += ["--configfile", study, "--"]
        command += [word for word in arguments if not word.startswith("-")]
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def snakemake(
        self, *arguments: str, check: bool = True, study: str = SMOKE, cores: int | None = 2
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake with the smoke study; `arguments` may end with targets."""
        with self.start(*arguments, study=study, cores=cores) as process:
            try:
                stdout, stderr = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        done = subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
        if check and done.returncode:
            logs = "\n".join(
                f"== {log}\n{log.read_text()[-2000:]}"
                for log in sorted((self.folder / "results" / "logs").rglob("*.log"))
                if "rror" in log.read_text()
            )
            raise AssertionError(f"{done.args}\n{done.stdout[-3000:]}{done.stderr[-3000:]}\n{logs}")
        return done

    def jobs(self, *targets: str, study: str = SMOKE) -> Counter[str]:
        """Return what a dry run would do: rule -> number of jobs, without `all`."""
        done = self.snakemake("-n", *targets, study=study)
        # "Job stats:" heads a table: rule, count; it ends with the total.
        found = re.search(r"Job stats:\n.*?\n-+.*?\n(.*?)\ntotal", done.stdout, re.S)
        counts: Counter[str] = Counter()
        for line in found.group(1).splitlines() if found else []:
            rule, count = line.split()
            counts[rule] = int(count)
        for target in ("all", "tables", "figures"):
            counts.pop(target, None)
        return counts

    def edit(self, path: str, old: str, new: str) -> Callable[[], None]:
        """Replace text in a file that must contain it; return what undoes it."""
        file = self.folder / path
        before = file.read_text()
        assert old in before
        file.write_text(before.replace(old, new, 1))
        return lambda: file.write_text(before) and None


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The smoke study after its whole run."""
    made = Clone(tmp_path_factory.mktemp("study") / "with space")
    made.snakemake("all")
    return made
