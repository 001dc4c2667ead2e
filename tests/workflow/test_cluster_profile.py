"""`--profile slurm` stops before it submits what no node can run. SLURM's commands are scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.conftest import Clone


def test_a_request_above_every_node_names_the_line_to_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("snakemake_executor_plugin_slurm")
    clone = Clone(tmp_path / "clone")
    submitted = tmp_path / "submitted"
    for name, script in (("sinfo", "echo 'main* 4'"), ("sbatch", f"touch {submitted}; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    profile = ("--profile=slurm", "results/corpus/corpus.json")
    refused = clone.snakemake(*profile, cores=None, check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode == 1
    assert "corpus: it asks for 8 CPUs, but no node of SLURM's partition (default) has" in said
    assert "`cores: 4` in slurm/config.yaml" in said
    assert "Traceback" not in said
    assert not submitted.exists()
    clone.edit("slurm/config.yaml", "cores: 32", "cores: 4")
    clone.edit("slurm/config.yaml", "retries: 2", "retries: 0")
    clone.snakemake(*profile, cores=None, check=False)
    assert submitted.exists()
