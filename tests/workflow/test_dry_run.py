"""Large studies as dry runs: their jobs are planned, none is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.conftest import Clone

STUDIES = ("three-seeds", "paper-levels", "from-scratch", "librispeech")


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_of_two_hundred_jobs_is_planned(tmp_path: Path, study: str) -> None:
    jobs = Clone(tmp_path / "clone").jobs(study=f"workflow/studies/{study}.yaml")
    assert jobs.total() >= 200
    assert jobs["decode"] == jobs["score"] >= jobs["train"] >= 10
    assert jobs["corpus"] == jobs["reference"] == 1
