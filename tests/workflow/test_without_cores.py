"""What Snakemake does beside running jobs asks for no number of cores, and leaves no results."""

from __future__ import annotations

import pytest

from tests.workflow.conftest import Clone


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("questions") / "clone")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("--lint", "in a good condition"),
        ("--dag", "digraph snakemake_dag"),
        ("--rulegraph", "train"),
        ("--summary", "results/tables/scores.csv"),
        ("--unlock", "Unlocked"),
        ("--list-rules", "train"),
    ],
)
def test_a_question_needs_no_cores(fresh: Clone, question: str, answer: str) -> None:
    done = fresh.snakemake(question, cores=None)
    assert answer in done.stdout + done.stderr
    assert not (fresh.folder / "results").exists()
