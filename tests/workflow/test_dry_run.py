"""Large studies as dry runs: their jobs are planned, none is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.conftest import Clone

STUDIES = {"three-seeds": 200, "paper-levels": 90, "librispeech": 200, "from-scratch": 80}


@pytest.mark.parametrize(("study", "least"), STUDIES.items())
def test_a_large_study_is_planned(tmp_path: Path, study: str, least: int) -> None:
    jobs = Clone(tmp_path / "clone").jobs(study=f"workflow/studies/{study}.yaml")
    assert jobs.total() >= least
    for rule in ("decode", "score"):
        assert jobs[rule] + jobs[f"{rule}_points"] == jobs["train"] >= 10
    assert jobs["corpus"] == jobs["reference"] == 1
    assert jobs["trunk"] == 0  # it is there, or all begin from scratch
