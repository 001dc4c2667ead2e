"""The workflow as a module of another one, in another folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import PATIENCE, ROOT, SMOKE

pytestmark = pytest.mark.slow
IMPORTING = """
configfile: "{root}/config.yaml"
configfile: "{root}/{study}"


module taae:
    snakefile:
        "{root}/Snakefile"
    config:
        config
    {more}


use rule * from taae as taae_*


rule mine:
    input:
        "results/tables/scores.csv",
        "results/figures/spectrograms.png",
    output:
        "mine.txt",
    shell:
        "head -n 1 {{input[0]}} > {{output}}"
"""


def run(
    folder: Path, *words: str, more: str = "", study: str = SMOKE
) -> subprocess.CompletedProcess[str]:
    (folder / "Snakefile").write_text(IMPORTING.format(root=ROOT, study=study, more=more))
    return snakemake(folder, *words)


def snakemake(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_the_smoke_study_runs_as_a_module(tmp_path: Path) -> None:
    planned = run(tmp_path, "-n", "mine", "taae_all")
    assert re.search(r"^total +44$", planned.stdout, re.M), planned.stdout[-3000:]
    few = ("--config", "select=[streams]", "--", "mine", "taae_all")
    done = run(tmp_path, *few)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "mine.txt").read_text().startswith("run,variant,seed")
    assert (tmp_path / "results" / "study.json").is_file()
    assert (tmp_path / "results" / "figures" / "cost.pdf").stat().st_size > 5000
    done = run(tmp_path, *few)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_an_empty_config_is_the_baseline_alone(tmp_path: Path) -> None:
    """Defaults are those of the settings, not of config.yaml."""
    lines = IMPORTING.format(root=ROOT, study=SMOKE, more="").splitlines()
    own = "\n".join(line for line in lines if not line.startswith("configfile"))
    (tmp_path / "Snakefile").write_text(own)
    done = snakemake(tmp_path, "-n", "taae_tables")
    assert done.returncode == 0, done.stderr[-3000:]
    trained = re.findall(r"wildcards: variant=(\S+), seed=\d+$", done.stdout, re.M)
    assert set(trained) == {"baseline"}


def test_a_prefix_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "-n", more='prefix:\n        "elsewhere"')
    assert done.returncode
    assert "prefix and replace_prefix are not supported" in done.stdout + done.stderr
