"""A study of many trainings on SLURM, its jobs only sleeping: the DAG, and what SLURM is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slurm.cluster import missing, running_cluster
from tests.slurm.simulation import Simulation

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]

ARMS, SEEDS, NODES = 20, 2, 8


def test_a_study_of_many_trainings(tmp_path: Path) -> None:
    with running_cluster(NODES) as cluster:
        study = Simulation(tmp_path / "clone", cluster, ARMS, SEEDS, train_seconds=2.0)
        found = study.simulate("--jobs", "1000")
        trainings = ARMS * SEEDS
        assert found["submissions"] == {
            **dict.fromkeys(("train", "decode", "score"), trainings),
            **{"corpus": 1, "reference": 1, "other_codec": 2},
        }
        submitted = sum(found["submissions"].values())
        assert len(cluster.jobs("completed")) == submitted
        requests = found["requests"]
        assert requests["REQUEST_SUBMIT_BATCH_JOB"] == submitted
        # One question is about all jobs of the run.
        assert requests["REQUEST_JOB_INFO"] < submitted / 4
        assert (
            "Nothing to be done"
            in study.snakemake("-n", "--snakefile=stub.smk", study="study.json").stdout
        )
