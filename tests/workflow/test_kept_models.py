"""Another study in the same folder, or an edited key, throws no trained model away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.workflow.conftest import Clone

pytestmark = pytest.mark.slow
MODEL = "results/models/baseline/seed1/model.safetensors"
LOG = "results/logs/train/baseline/seed1.log"


def test_an_edited_key_replaces_a_model_and_brings_it_back(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "study")
    clone.snakemake(MODEL)
    model, log = clone.folder / MODEL, clone.folder / LOG
    first = model.read_bytes()
    assert "step 12/12" in log.read_text()
    # Models of before there was a folder for them are kept too.
    shutil.rmtree(clone.folder / "results" / "kept")
    undo = clone.edit("workflow/studies/smoke.yaml", "steps: 12", "steps: 13")
    done = clone.snakemake(MODEL)
    said = done.stdout + done.stderr
    assert "This run replaces trained models (0.0 hours of training): baseline/seed1. " in said
    second = model.read_bytes()
    assert second != first
    kept = (clone.folder / "results" / "kept").rglob("model.safetensors")
    assert sorted(path.read_bytes() for path in kept) == sorted([first, second])
    undo()
    clone.snakemake(MODEL)
    assert model.read_bytes() == first
    assert "step" not in log.read_text()
    assert clone.jobs(MODEL).total() == 0
