"""What the catalog of Snakemake workflows and snakedeploy ask of a workflow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.conftest import PATIENCE, ROOT, SMOKE

DEPLOYED = """
configfile: "config/config.yaml"


module taae_study:
    snakefile:
        "git+file://{repository}/workflow/Snakefile@v1"
    config:
        config


use rule * from taae_study
"""
# A local repository stands for GitHub. Snakemake's own class for that asks git for `/workflow/...`
# where a file lies beside one at the top; the class for GitHub leaves the `/` out.
SNAKEMAKE = """
import sys
from snakemake import cli, sourcecache

join = sourcecache.LocalGitFile.join

def as_on_github(self, path):
    found = join(self, path)
    found.path = found.path.strip("/")
    return found

sourcecache.LocalGitFile.join = as_on_github
sys.exit(cli.main(sys.argv[1:]))
"""


def test_the_catalog_finds_what_it_reads() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"] == {
        "conda": True,
        "apptainer": False,
        "apptainer+conda": False,
    }
    assert usage["report"] is True
    assert re.search("snakemake.*workflow", (ROOT / "README.md").read_text(), re.I | re.S)
    assert (ROOT / "workflow" / "Snakefile").is_file()
    assert (ROOT / "config" / "README.md").is_file()
    assert (ROOT / "config" / "config.yaml").read_text() == (ROOT / "config.yaml").read_text()


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    """A folder as snakedeploy makes it, of a repository that holds the workflow and no package."""
    repository, user = tmp_path / "repository", tmp_path / "user"
    ignored = shutil.ignore_patterns("taae", "trunk", "__pycache__")
    for name in ("workflow", "config", "envs"):
        shutil.copytree(ROOT / name, repository / name, symlinks=True, ignore=ignored)
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, repository / name)
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "1"], ["tag", "v1"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    shutil.copytree(repository / "config", user / "config")
    (user / "workflow").mkdir()
    (user / "workflow" / "Snakefile").write_text(DEPLOYED.format(repository=repository))
    shutil.copy(ROOT / SMOKE, user / "smoke.yaml")
    return user


def snakemake(folder: Path, *words: str, code: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code + SNAKEMAKE, "-n", "--cores", "1", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.slow
def test_a_deployed_workflow_plans_what_a_clone_does(deployed: Path) -> None:
    done = snakemake(deployed, "--configfile", "config/config.yaml", "smoke.yaml")
    assert done.returncode == 0, done.stderr[-3000:]
    clone = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(ROOT / SMOKE)]
    expected = snakemake(deployed, *clone)
    assert expected.returncode == 0, expected.stderr[-3000:]
    jobs = [
        re.search(r"^Job stats:\n(.*?)\n\n", run.stdout, re.M | re.S)[1]
        for run in (done, expected)  # type: ignore[index]
    ]
    assert jobs[0] == jobs[1]
    assert "train" in jobs[0]


@pytest.mark.slow
def test_without_the_package_it_says_what_to_install(deployed: Path) -> None:
    hide = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "taae" else find(name, *more)
"""
    done = snakemake(deployed, code=hide)
    assert done.returncode
    assert "pip install -e ." in done.stdout + done.stderr
