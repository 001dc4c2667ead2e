"""envs/*.yaml pin what pyproject.toml pins, and hold what their rules import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import taae
from taae.utils.fingerprint import STUDY

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "workflow" / "taae"
# Stages whose rules use the environment, as modules of the package.
STAGES = {
    "torch": ["corpus", "training", "codec", "evaluation"],
    "figures": ["analysis", "page", "evaluation/decoded_files", "corpus/store", "corpus/utterance"],
}
COMMON = ["cli", *STUDY, "study/checks", "codec/attention_window", "evaluation/metrics"]
COMMON += ["utils/errors", "utils/files", "utils/log"]
DISTRIBUTIONS = {
    "espeakng_loader": "espeakng-loader",
    "yaml": "pyyaml",
    "PIL": "pillow",
}  # imported name -> distribution, where they differ


def pins() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["codecs"]
    return dict(line.split("==") for line in lines)


def environment(name: str) -> dict[str, str]:
    content = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())
    (pip,) = [item["pip"] for item in content["dependencies"] if isinstance(item, dict)]
    return dict(line.split("==") for line in pip)


def imported(module: str) -> set[str]:
    path = PACKAGE / module
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    names = set()
    for file in files:
        tree = ast.parse(file.read_text())
        # The command line imports a stage's modules in that stage alone.
        for node in tree.body if module == "cli" else ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return {DISTRIBUTIONS.get(name, name) for name in names}


@pytest.mark.parametrize("name", sorted(STAGES))
def test_pins_are_those_of_the_package(name: str) -> None:
    all_pins = pins()
    for distribution, version in environment(name).items():
        assert all_pins[distribution] == version


@pytest.mark.parametrize("name", sorted(STAGES))
def test_an_environment_has_what_its_stages_import(name: str) -> None:
    needed = set().union(*(imported(module) for module in [*STAGES[name], *COMMON]))
    assert needed & set(pins()) <= set(environment(name))


def test_every_pin_is_exact() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for line in project["dependencies"] + [line for extra in extras.values() for line in extra]:
        assert "==" in line or line.startswith("taae["), line


def test_the_package_never_imports_snakemake() -> None:
    for file in PACKAGE.rglob("*.py"):
        assert "snakemake" not in imported(str(file.relative_to(PACKAGE).with_suffix("")))


def test_what_the_snakefile_imports_is_light() -> None:
    """Every job parses it again."""
    code = "import sys, taae.study.load, taae.utils.files; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "pandas", "numpy", "scipy", "matplotlib"} & set(done.stdout.split())


def test_one_version_is_released() -> None:
    """The package, the citation and the newest released entry of the changes have one number."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    headings = re.findall(r"^## ([\d.]+)(.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    released = [number for number, remark in headings if not remark]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == taae.__version__ == citation == released[0]
