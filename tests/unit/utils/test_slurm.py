"""A request that no node can meet is told before it is made; `sinfo` is a script here."""

from __future__ import annotations

from pathlib import Path

import pytest

from taae.utils.slurm import largest_nodes, too_few_cpus

# `sinfo --noheader --exact --format='%P %c'` of SLURM 22.05 with two partitions of mixed nodes.
PRINTED = "short* 4\nshort* 16\nlong 64\n"


def sinfo(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (folder / "sinfo").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "sinfo").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_the_largest_node_of_a_partition_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinfo(tmp_path, monkeypatch, f"printf '{PRINTED}'".replace("\n", "\\n"))
    largest = largest_nodes()
    assert largest == {"": 16, "short": 16, "long": 64}
    for asked, partition in ((16, None), (16, "short"), (64, "long"), (64, "short,long")):
        assert too_few_cpus(asked, partition, largest) == ""
    assert "`cores: 16` in slurm/config.yaml" in too_few_cpus(32, None, largest)
    assert "partition long has more than 64" in too_few_cpus(65, "long", largest)


@pytest.mark.parametrize("script", ["exit 1", "echo down >&2; exit 1", "true"])
def test_where_slurm_says_nothing_nothing_is_refused(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinfo(tmp_path, monkeypatch, script)
    assert too_few_cpus(1000, None, largest_nodes()) == ""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert largest_nodes() == {}


def test_a_partition_that_is_not_there_is_left_to_slurm() -> None:
    assert too_few_cpus(1000, "none", {"": 1, "short": 1}) == ""
