"""--sdm apptainer: every job runs in the image that TAAE_CONTAINER names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import PATIENCE, ROOT, SMOKE

# Stands for apptainer: notes the image, and runs the command without it.
APPTAINER = """#!/usr/bin/env bash
if [ "$1" = --version ]; then echo "apptainer version 1.3.4"; exit; fi
while [ "${1##*.}" != sif ]; do shift; done
echo "$1" >> "$NOTES"
shift
exec "$@"
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "apptainer").write_text(APPTAINER)
    (folder / "apptainer").chmod(0o755)
    return folder


def snakemake(
    folder: Path, programs: Path, *words: str, image: str = ""
) -> subprocess.CompletedProcess[str]:
    about = {"TAAE_CONTAINER": image, "NOTES": str(folder / "notes.txt")}
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    options = ["--configfile", str(ROOT / SMOKE), "--directory", str(folder)]
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *options, *words],
        cwd=ROOT,
        env={**os.environ, **about, "PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.slow
def test_a_job_runs_in_the_image(tmp_path: Path, programs: Path) -> None:
    (tmp_path / "taae.sif").touch()
    words = ["reference", "--sdm", "apptainer"]
    done = snakemake(tmp_path, programs, *words, image="taae.sif")
    assert done.returncode == 0, done.stderr[-3000:]
    noted = (tmp_path / "notes.txt").read_text().split()
    assert noted == ["taae.sif"] * 2  # the corpus, and its reference


def test_without_an_image_it_says_how_to_build_one(tmp_path: Path, programs: Path) -> None:
    done = snakemake(tmp_path, programs, "-n", "--sdm", "apptainer")
    assert done.returncode
    assert "envs/Dockerfile" in done.stdout + done.stderr
    assert not (tmp_path / "notes.txt").exists()


def test_an_image_without_apptainer_is_of_no_effect(tmp_path: Path, programs: Path) -> None:
    done = snakemake(tmp_path, programs, "-n", image="nowhere.sif")
    assert done.returncode == 0, done.stderr[-3000:]
