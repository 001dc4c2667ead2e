"""Two runs of the workflow in one folder: the second one refuses, the first one is right."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from taae.corpus.store import Split
from tests.workflow.conftest import PATIENCE, Clone

pytestmark = pytest.mark.slow
CORPUS = "results/corpus/corpus.json"


def test_two_snakemakes_in_one_folder(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "study")
    first = clone.start(CORPUS)
    while not list((clone.folder / ".snakemake").glob("locks/*.lock")):
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # so that it is at work however slow the second one is
    try:
        second = clone.snakemake(CORPUS, check=False)
        assert second.returncode == 1
        assert "Directory cannot be locked" in second.stdout + second.stderr
    finally:
        first.send_signal(signal.SIGCONT)
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 0
    split = Split.open(clone.folder / "results" / "corpus", "train")
    assert split.samples > 0
    assert clone.jobs(CORPUS).total() == 0
