"""envs/*.yaml pin what pyproject.toml pins, and hold what their rules import."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
    extras = project["optional-dependencies"]
    lines = project["dependencies"] + extras["codecs"] + extras["s3"]
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


DOCKERFILE = (ROOT / "envs" / "Dockerfile").read_text()


def test_the_image_has_the_python_of_the_environments() -> None:
    (version,) = re.findall(r"^FROM python:([\d.]+)-", DOCKERFILE, re.M)
    for name in STAGES:
        content = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())
        assert f"python={version}" in content["dependencies"]


def test_the_image_has_what_pyproject_and_the_environments_pin(tmp_path: Path) -> None:
    """Its own step, done as far as the metadata from which pip then installs."""
    assert "==" not in DOCKERFILE  # no pin twice
    (extras,) = re.findall(r"pip install .*'\.\[(.+)\]'", DOCKERFILE)
    (copied,) = re.findall(r"^COPY (.+) \./$", DOCKERFILE, re.M)
    for name in copied.split():
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "workflow" / "taae").mkdir(parents=True)
    (tmp_path / "workflow" / "taae" / "__init__.py").touch()
    code = "import setuptools.build_meta as b; print(b.prepare_metadata_for_build_wheel('.'))"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    (found,) = tmp_path.glob("*.dist-info")
    needed = [Requirement(each) for each in Distribution.at(found).requires or []]
    chosen = {"extra": ""}, *({"extra": extra} for extra in extras.split(","))
    installed = {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==")
        for each in needed
        if not each.marker or any(each.marker.evaluate(dict(extra)) for extra in chosen)
    }
    assert all(installed.values())
    for name in STAGES:
        for distribution, version in environment(name).items():
            assert installed[canonicalize_name(distribution)] == version
    assert installed["snakemake"] == pins()["snakemake"]
