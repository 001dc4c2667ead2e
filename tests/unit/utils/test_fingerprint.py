"""The source files of a stage: everything it imports, nothing that other stages import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from taae.utils.fingerprint import PACKAGE, PLUMBING, sources


def names(module: str) -> set[str]:
    return {str(path.relative_to(PACKAGE).with_suffix("")) for path in sources(module)}


@pytest.mark.parametrize(
    "module",
    [
        "training/train",
        "evaluation/decode",
        "evaluation/scoring/score",
        "analysis/tables/scores",
        "evaluation/cost",
    ],
)
def test_all_that_python_loads_is_among_them(module: str) -> None:
    """Oracle: what Python itself has loaded after the import."""
    code = f"import sys, taae.{module.replace('/', '.')}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {
        name.removeprefix("taae.").replace(".", "/")
        for name in done.stdout.split()
        if name.startswith("taae.")
    }
    files = {name for name in loaded if (PACKAGE / f"{name}.py").is_file()}
    # What plumbing loads for itself (the study reads the names of metrics) is no part of a stage.
    plumbing = {
        "evaluation/metrics",
        "codec/attention_window",
        "codec/operating_points",
        "evaluation/config",
        "study/checks",
        "codec/pretrained",
        "utils/programs",
    }
    assert files - PLUMBING - plumbing <= names(module)


def test_stages_do_not_contain_each_other() -> None:
    assert "training/losses" in names("training/train")
    assert "codec/conv" in names("training/train")
    shared = {"utils/mel", "utils/huggingface"}  # spectra, WavLM: losses and metrics alike
    assert names("training/train") & names("evaluation/scoring/score") == shared
    assert not {name for name in names("training/train") if name.startswith("analysis")}
    assert "codec/codec" not in names("evaluation/decoded_files")
    assert "codec/codec" not in names("evaluation/other_codecs/run")


def test_every_name_of_the_plumbing_is_a_module() -> None:
    """A module that was renamed would enter every fingerprint unseen."""
    assert [name for name in sorted(PLUMBING) if not (PACKAGE / f"{name}.py").is_file()] == []
