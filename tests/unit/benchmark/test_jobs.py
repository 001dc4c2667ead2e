"""Job lists: what Snakemake printed for a study over nodes, and the smoke study as it is."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from taae.benchmark import jobs as benchmark_jobs
from taae.benchmark.jobs import Job, list_jobs, parse
from taae.study.load import resolve
from taae.study.overlay import layered
from taae.utils.errors import TaaeError
from tests.unit.benchmark.smoke import SMOKE, smoke_jobs

# What Snakemake 9.27.1 printed for two nodes of two GPUs; shortened.
RECORDED = """\
Building DAG of jobs...
Job stats:
job                   count
------------------  -------
train                     1
total                     3

[Thu Nov 26 23:17:03 2026]
rule train:
    input: workflow/taae/training/train.py, results/corpus/corpus.json
    output: results/models/m/model.safetensors, results/models/m/config.json
    log: results/logs/train/causal-64/seed1.log
    jobid: 9
    benchmark: results/benchmarks/train/causal-64/seed1.tsv
    reason: Forced execution
    wildcards: variant=causal-64, seed=1
    threads: 4
    resources: tmpdir=/tmp, runtime=360, gpu=4, nodes=2, tasks_per_node=2, mem=8.11 GB, mem_mib=7731
[Thu Nov 26 23:17:03 2026]
localrule histories:
    input: results/models/causal-64/seed1/history.csv
    output: results/tables/training.csv
    log: results/logs/histories.log
    jobid: 13
    reason: Forced execution
    resources: tmpdir=/tmp
[Thu Nov 26 23:17:03 2026]
rule all:
    input: results/tables/training.csv
    jobid: 0
    reason: Forced execution
    resources: tmpdir=/tmp
Job stats:
job                   count
------------------  -------
train                     1
total                     3

Reasons:
    (check individual jobs above for details)
    forced:
        all, histories, train
This was a dry-run (flag -n). The order of jobs does not reflect the order of execution.
"""


def test_a_recorded_dry_run() -> None:
    train, histories, every = parse(RECORDED)
    folder = "results/models/m"
    assert train == Job(
        rule="train",
        wildcards={"variant": "causal-64", "seed": "1"},
        inputs=("workflow/taae/training/train.py", "results/corpus/corpus.json"),
        outputs=(f"{folder}/model.safetensors", f"{folder}/config.json"),
        benchmark="results/benchmarks/train/causal-64/seed1.tsv",
        cores=16,
        gpus=4,
        requested_mib=7731,
    )
    assert (train.name, train.arm) == ("train/causal-64/1", "causal-64")
    assert (histories.name, histories.arm, histories.benchmark) == ("histories", "", "")
    assert (histories.cores, histories.gpus) == (1, 0)
    assert math.isnan(histories.requested_mib)
    assert (every.rule, every.outputs) == ("all", ())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("localrule histories:", "Job 13: histories", "states 3 jobs, of which 2"),
        ("total ", "sum ", "states no number of jobs"),
    ],
)
def test_a_text_that_is_not_understood_is_an_error(old: str, new: str, said: str) -> None:
    with pytest.raises(TaaeError, match=said):
        parse(RECORDED.replace(old, new))


def test_the_smoke_study_has_the_jobs_of_its_runs() -> None:
    study, jobs = resolve(layered(SMOKE)), smoke_jobs()
    assert len({job.name for job in jobs}) == len(jobs)
    found = {rule: [job for job in jobs if job.rule == rule] for rule in {j.rule for j in jobs}}
    assert {job.arm for job in found["train"]} == set(study.trained)
    assert len(found["train"]) == len(study.trained) * len(study.seeds)
    points = {variant: study.points(variant) for variant in study.variants}
    for rule, folder, file in (("decode", "decoded", "/codes.npz"), ("score", "scores", ".csv")):
        runs = [*found[rule], *found[f"{rule}_points"]]
        assert {job.arm: len(job.outputs) for job in runs}.keys() == points.keys()
        made = {path for job in runs for path in job.outputs}
        assert made >= {
            f"results/{folder}/{variant}/seed{seed}/{point}{file}"
            for variant, each in points.items()
            for seed in study.seeds
            for point in each
        }
    assert {job.arm for job in found["other_codec"]} == set(study.codecs)
    assert all(job.requested_mib > 0 for job in found["train"] + found["score"])
    # Two cores: what wants more is given both.
    assert {job.cores for job in found["corpus"]} == {2}
    made = {path for job in jobs for path in job.outputs}
    (every,) = found["all"]
    assert set(every.inputs) <= made
    needed = {path for job in jobs for path in job.inputs if path.startswith("results/")}
    assert needed <= made


def test_relative_paths_hold_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "study"
    (study / "speech").mkdir(parents=True)
    (tmp_path / "list.csv").write_text("path,speaker\n")
    monkeypatch.chdir(study)
    folder = {"path": "speech", "manifest": "../list.csv", "speaker": "parent"}
    config = layered([*SMOKE]) | {"corpus": {"kind": "folder", "folder": folder}}
    (corpus,) = (job for job in list_jobs(config, 2) if job.rule == "corpus")
    assert (tmp_path / "list.csv").samefile(corpus.inputs[-1])
    assert [path.name for path in study.iterdir()] == ["speech"]
    assert yaml.safe_load(yaml.safe_dump(config)) == config


def test_what_snakemake_refuses_is_said_in_one_line() -> None:
    config = layered(SMOKE) | {"select": ["nothing"]}
    with pytest.raises(TaaeError, match=r"failed: .*no ablation 'nothing'") as caught:
        list_jobs(config, 2)
    assert "\n" not in str(caught.value)


def test_a_missing_workflow_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_jobs, "SNAKEFILE", tmp_path / "Snakefile")
    with pytest.raises(TaaeError, match=r"failed: .*Snakefile"):
        list_jobs({}, 1)
