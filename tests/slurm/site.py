"""A clone of the workflow that runs on a cluster of the tests, by the profile of the repository."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.slurm.cluster import PARTITION, Cluster
from tests.workflow.conftest import Clone

MODEL = "results/models/baseline/seed{}/model.safetensors"
LOG = "results/logs/train/baseline/seed{}.log"
PATIENCE = 500  # seconds without a word from Snakemake; reached where something hangs
# Beside the partition: this cluster has no accounting database, and the tests are in a hurry.
SITE = """
slurm-status-command: squeue
slurm-init-seconds-before-status-checks: 2
slurm-keep-successful-logs: true
configfile: {study}
"""


class Site(Clone):
    """A clone that is set up for a cluster."""

    def __init__(self, folder: Path, cluster: Cluster, study: str) -> None:
        super().__init__(folder)
        self.cluster = cluster
        profile = "slurm/config.yaml"
        self.edit(profile, '# slurm_partition: "gpu"', f"slurm_partition: {PARTITION}")
        with (folder / profile).open("a") as file:
            file.write(SITE.format(study=study))
        path = f"{cluster.environment['PATH']}:{Path(sys.executable).parent}"
        self.environment = cluster.environment | {"PATH": path}

    def model(self, seed: int) -> Path:
        return self.folder / MODEL.format(seed)

    def log(self, seed: int) -> str:
        """Return what the latest training with this seed has logged so far."""
        path = self.folder / LOG.format(seed)
        return path.read_text() if path.exists() else ""

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start `snakemake --profile slurm`; its output goes to snakemake.log."""
        with (self.folder / "snakemake.log").open("wb") as log:
            run = subprocess.Popen(
                [sys.executable, "-m", "snakemake", "--profile", "slurm", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                # Where a script started the tests by `&`, SIGINT is ignored, here too.
                preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            )
        try:
            yield run
        except BaseException:
            print(self.said(), self.cluster.log())
            raise
        finally:
            if run.poll() is None:
                run.kill()
                run.wait()

    def run(self, *arguments: str) -> None:
        """Run `snakemake --profile slurm` to its end, which must be a good one."""
        with self.started(*arguments) as run:
            assert self.exit_status(run) == 0

    def exit_status(self, run: subprocess.Popen[bytes]) -> int:
        """Wait for Snakemake's end for as long as it says something now and then.

        Between two looks at its jobs it waits up to three minutes, so a whole study takes several.

        Raises:
            TimeoutError: it has said nothing for `PATIENCE`.
        """
        while True:
            said = len(self.said())
            try:
                return run.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                if len(self.said()) == said:
                    raise TimeoutError(f"nothing said for {PATIENCE} s") from None

    def said(self) -> str:
        """Return what the last run has said so far."""
        return (self.folder / "snakemake.log").read_text()

    def submitted(self) -> list[dict[str, str]]:
        """Return what SLURM knows of each job that the last run has submitted so far."""
        ids = re.findall(r"submitted with SLURM jobid (\d+)", self.said())
        return [self.cluster.details(job) for job in ids]


def rule_of(comment: str) -> str:
    """Return the rule of a submission; of several that share one the name of their group."""
    rule = re.sub(r"^rule_|_wildcards.*", "", comment)
    return re.sub(r"^(rates|other_codec)_.*", r"\1", rule)
