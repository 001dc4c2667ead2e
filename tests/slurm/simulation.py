"""A large study on SLURM with jobs that only sleep and write: submissions, load, time of the DAG.

By hand, from the root of the repository, as root (figures: docs/scale.md):

    python -m tests.slurm.simulation --arms 200 --seeds 3 --nodes 40 --train-seconds 60
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from taae.study.overlay import layered, merge
from tests.scale.arms import many_arms
from tests.slurm.cluster import GPUS, Cluster, running_cluster
from tests.slurm.site import Site, rule_of
from tests.workflow.conftest import ROOT

HERE = Path(__file__).parent
PAPER = [ROOT / "config.yaml", ROOT / "workflow" / "studies" / "paper.yaml"]


class Simulation(Site):
    """A clone whose jobs are stubs; its study is the paper's with other arms."""

    def __init__(
        self, folder: Path, cluster: Cluster, arms: int, seeds: int, train_seconds: float
    ) -> None:
        super().__init__(folder, cluster, "study.json")
        study = merge(layered(PAPER), many_arms(arms, seeds))
        study["corpus"]["shard_hours"] = 0  # a stub lists no shards
        (folder / "study.json").write_text(json.dumps(study))
        for name in ("stub", "stub.smk"):
            shutil.copy(HERE / name, folder)
        self.train_seconds = train_seconds
        seconds = {"train": train_seconds, "else": train_seconds / 10}
        (folder / "seconds.json").write_text(json.dumps(seconds))

    def simulate(self, *arguments: str) -> dict[str, Any]:
        """Run the study to its end and return what was measured.

        `requests` counts what the controller was asked for meanwhile, `busy_seconds` is what it
        took to answer. `least_seconds` is what the trainings take if no GPU is ever idle.
        """
        self.cluster.command("sdiag", "--reset")
        begun = time.monotonic()
        self.run("--snakefile", "stub.smk", *arguments)
        seconds = time.monotonic() - begun
        requests = self.cluster.requests()
        table = self.submissions()
        trainings = sorted(when for rule, when in table if rule == "train")
        gpus = GPUS * len(self.cluster.nodes)
        return {
            "seconds": round(seconds, 1),
            "least_seconds": len(trainings) * self.train_seconds / gpus,
            "submissions": Counter(rule for rule, _ in table),
            "seconds_to_submit_trainings": trainings[-1] - trainings[0],
            "requests": {kind: count for kind, (count, _) in requests.items()},
            "busy_seconds": round(sum(spent for _, spent in requests.values()), 1),
        }

    def submissions(self) -> list[tuple[str, float]]:
        """Return rule (or group of rules) and time in s of each job that SLURM was ever given."""
        lines = self.cluster.command("squeue", "-h", "-t", "all", "-o", "%V %k").splitlines()
        found = [line.split() for line in lines]
        return [(rule_of(rule), datetime.fromisoformat(when).timestamp()) for when, rule in found]


def main() -> None:
    """Run one simulation and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arms", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=100, help="of Snakemake under way at once")
    parser.add_argument("--train-seconds", type=float, default=60.0, help="others: a tenth")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_cluster(given.nodes) as cluster:
        study = Simulation(
            Path(folder) / "clone", cluster, given.arms, given.seeds, given.train_seconds
        )
        print(json.dumps(study.simulate("--jobs", str(given.jobs)), indent=2))


if __name__ == "__main__":
    main()
