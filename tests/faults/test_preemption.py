"""A machine that is taken away with its disk: another one ends its training with the same bytes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from taae.utils.object_storage import ObjectFolder
from tests.faults.conftest import Forker, Study
from tests.faults.test_kills import assert_same_training
from tests.s3_server import s3_server

BUCKET = "faults"
STATE, KEPT = f"s3://{BUCKET}/state", f"s3://{BUCKET}/kept"
STORAGE = ("--state-storage", STATE, "--kept-storage", KEPT)
OFTEN = ("--checkpoint-every", "0")  # a state after every step


class Machine:
    """An empty folder to train in, with the files of the study's corpus."""

    def __init__(self, folder: Path, study: Study) -> None:
        self.output, self.state, self.kept = (folder / name for name in ("model", "state", "kept"))
        self.command = study.train(self.output, self.state, "--kept", str(self.kept))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server(BUCKET) as address:
        yield address


@pytest.fixture(scope="module")
def process(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    """One that knows the server from its environment."""
    made = Forker(tmp_path_factory.mktemp("forker") / "log")
    yield made
    made.close()


def step(state: str) -> int:
    return int(state.split("/")[1].split("-")[1])


def test_another_machine_goes_on_where_the_first_was_taken_away(
    tmp_path: Path, study: Study, process: Forker
) -> None:
    whole, first, second, third = (
        Machine(tmp_path / name, study) for name in ("whole", "first", "second", "third")
    )
    assert process.run(whole.command) == 0
    states = ObjectFolder(STATE)

    process.start([*first.command, *STORAGE, *OFTEN])
    while not (found := states.names()) or step(found[-1]) < 3:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    left = states.names()
    assert 1 <= len(left) <= 2  # killed between the upload of a state and the removal of the last
    assert not first.output.exists()

    assert process.run([*second.command, *STORAGE]) == 0
    said = process.log.read_text()
    assert f"resuming at step {step(left[-1])} from" in said
    assert_same_training(second.output, whole.output)
    assert states.names() == []

    # The finished model is in the storage too: a third machine trains nothing.
    assert process.run([*third.command, *STORAGE]) == 0
    assert "this model was trained before" in process.log.read_text()
    assert_same_training(third.output, whole.output)
