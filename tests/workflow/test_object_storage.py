"""Everything in object storage: the smoke study on an S3 server, and the profile for Kubernetes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.s3_server import s3_server
from tests.workflow.conftest import ROOT, Clone

pytestmark = pytest.mark.slow
boto3 = pytest.importorskip("boto3")
pytest.importorskip("snakemake_storage_plugin_s3")

BUCKET = "workflow"
PROFILE = ROOT / "cloud" / "config.yaml"
COMPARED = ("corpus/", "models/", "reference/", "decoded/", "bitrates/")


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[str]:
    with s3_server(BUCKET) as address:
        yield address


def stored(prefix: str) -> dict[str, Any]:
    """What the bucket has under a prefix, by its name after it."""
    objects = boto3.resource("s3").Bucket(BUCKET).objects.filter(Prefix=f"{prefix}/")
    return {item.key.removeprefix(f"{prefix}/"): item for item in objects}


def times(found: dict[str, Any]) -> dict[str, Any]:
    return {name: item.last_modified for name, item in found.items()}


def in_storage(prefix: str) -> tuple[str, ...]:
    """Options for results in the bucket."""
    place = f"--default-storage-prefix=s3://{BUCKET}/{prefix}"
    return "--default-storage-provider=s3", place


def test_the_smoke_study_needs_no_disk_but_its_own(clone: Clone, tmp_path: Path) -> None:
    options = in_storage("smoke")
    clone.snakemake("all", *options, f"--directory={tmp_path / 'empty'}")
    found = stored("smoke/results")
    results = clone.folder / "results"
    for name, item in found.items():
        if name.startswith(COMPARED) and not name.endswith(("history.csv", "provenance.json")):
            assert item.get()["Body"].read() == (results / name).read_bytes(), name
    models = Counter(name.split("/")[0] for name in found if name.endswith("model.safetensors"))
    assert models == {"models": 4, "trunk": 1, "kept": 5}
    assert "study.json" in found and "page/index.html" in found
    assert not [name for name in found if name.startswith("state/")]
    copies = (tmp_path / "empty" / ".snakemake" / "storage").rglob("*")
    assert {path.suffix for path in copies if path.is_file()} == {".log", ".tsv"}

    for folder in ("empty", "another"):
        done = clone.snakemake("all", *options, f"--directory={tmp_path / folder}")
        assert "Nothing to be done" in done.stdout + done.stderr
    assert times(stored("smoke/results")) == times(found)


# As a pod of Kubernetes: what the workflow consists of in a folder of its own, and no other file.
POD = """#!/usr/bin/env bash
set -eu
script=$(realpath "$1")
folder=$(mktemp -d "$PODS/XXXXXX")
cp -r Snakefile config.yaml workflow envs "$folder"
cd "$folder"
exec bash "$script" &> log
"""


def test_jobs_share_nothing_but_the_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("snakemake_executor_plugin_cluster_sync")
    clone, pods = Clone(tmp_path / "clone"), tmp_path / "pods"
    pods.mkdir()
    monkeypatch.setenv("PODS", str(pods))
    (tmp_path / "pod.sh").write_text(POD)
    (tmp_path / "pod.sh").chmod(0o755)
    executor = ("--executor=cluster-sync", f"--cluster-sync-submit-cmd={tmp_path / 'pod.sh'}")
    wanted = ("results/reference/audio", "results/bitrates/baseline/seed1/native/rates.csv")
    done = clone.snakemake(
        *executor, "--shared-fs-usage=none", "--jobs=2", *in_storage("pods"), *wanted, check=False
    )
    logs = {path.parent.name: path.read_text()[-1500:] for path in pods.glob("*/log")}
    assert done.returncode == 0, logs
    # Corpus, its reference; trunk, model, decoded speech, entropy models, rates.
    assert len(logs) == 7
    assert {name.removeprefix("results/") for name in wanted[1:]} <= set(stored("pods/results"))
    assert not (clone.folder / "results" / "corpus").exists()


def test_without_credentials_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    clone = Clone(tmp_path / "clone")
    done = clone.snakemake("-n", *in_storage("smoke"), check=False)
    assert done.returncode
    assert "Unable to locate credentials" in done.stdout + done.stderr


def profile(text: str) -> dict[str, Any]:
    return yaml.safe_load(text)  # type: ignore[no-any-return]


def with_examples() -> dict[str, Any]:
    """The profile with the settings that it has as comments."""
    return profile(re.sub(r"^# (?=[a-z-]+:|  )", "", PROFILE.read_text(), flags=re.M))


def test_the_profile_sets_what_the_executor_has() -> None:
    settings = pytest.importorskip("snakemake_executor_plugin_kubernetes").ExecutorSettings
    known = {f"kubernetes-{field.name.replace('_', '-')}" for field in fields(settings)}
    content = with_examples()
    named = {key for key in content if key.startswith("kubernetes-")}
    assert len(named) == 3
    assert named <= known
    rules = {
        name
        for path in (ROOT / "workflow" / "rules").glob("*.smk")
        for name in re.findall(r"^(?:use )?rule (?:\w+ as )?(\w+)", path.read_text(), re.M)
    }
    assert set(content["set-resources"]) <= rules


def test_a_dry_run_with_the_profile_plans_the_study(tmp_path: Path) -> None:
    pytest.importorskip("snakemake_executor_plugin_kubernetes")
    fresh = Clone(tmp_path / "clone")
    content = with_examples() | {"default-storage-prefix": f"s3://{BUCKET}/planned"}
    (fresh.folder / "cloud" / "config.yaml").write_text(yaml.safe_dump(content))
    planned = fresh.snakemake("-n", "--profile=cloud", cores=None)
    said = planned.stdout + planned.stderr
    for resource in ("gpu=0", "gpu_manufacturer=nvidia", "scale=0", "machine_type=g6.xlarge"):
        assert resource in said
    assert re.search(r"^total +43$", said, re.M)
    # A key that is no option stops it.
    (fresh.folder / "cloud" / "config.yaml").write_text(yaml.safe_dump(content | {"jobz": 3}))
    refused = fresh.snakemake("-n", "--profile=cloud", cores=None, check=False)
    assert refused.returncode and "--jobz" in refused.stderr
