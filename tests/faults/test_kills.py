"""A training that is killed, stopped or out of time ends with the bytes of one that was not."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch

from taae.cli import RESUMABLE
from taae.training import checkpoint
from tests.faults.conftest import Forker, Study

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: /proc, waitid")
KILLS = 20
OFTEN = ("--checkpoint-every", "0")  # a state after every step


def assert_same_training(found: Path, expected: Path) -> None:
    """Compare all that a training leaves, but for times."""
    names = ["config.json", "history.csv", "model.safetensors", "provenance.json"]
    assert sorted(path.name for path in found.iterdir()) == names
    for name in ("model.safetensors", "config.json"):
        assert (found / name).read_bytes() == (expected / name).read_bytes()
    a, b = (pd.read_csv(x / "history.csv").drop(columns="seconds") for x in (found, expected))
    pd.testing.assert_frame_equal(a, b, check_exact=True)


def files(state: Path, pattern: str) -> list[Path]:
    try:
        return sorted(state.glob(pattern))
    except FileNotFoundError:  # the training has ended, and removes its folders meanwhile
        return []


def states(state: Path) -> list[Path]:
    return files(state, "*/step-*.pt")


def newest(state: Path) -> str:
    return max((path.name for path in states(state)), default="")


def being_written(state: Path) -> list[Path]:
    return files(state, "*/.step-*")


def wait_until(happened: Callable[[], object], process: Forker) -> None:
    """Wait for something that the training does; it may also have ended."""
    while not happened() and Path(f"/proc/{process.pid}/stat").read_text().split()[2] != "Z":
        time.sleep(0.0002)


def kill_at_random(process: Forker, state: Path, choice: random.Random) -> None:
    """Kill at a random moment before the first new state, after it, or while one is written."""
    moment = choice.choice(["before", "after", "writing"])
    for _ in range(choice.randint(1, 2)):
        before = newest(state)
        patience = choice.uniform(0, 0.5) if moment == "before" else 60.0
        deadline = time.monotonic() + patience
        wait_until(partial(changed, state, before, deadline), process)
    if moment == "after":
        time.sleep(choice.uniform(0, 0.02))
    elif moment == "writing":
        wait_until(lambda: being_written(state), process)
    os.kill(process.pid, signal.SIGKILL)


def changed(state: Path, before: str, deadline: float) -> bool:
    return newest(state) != before or time.monotonic() > deadline


def test_killed_at_random_moments(
    study: Study, trained: Path, forker: Forker, tmp_path: Path
) -> None:
    output, state = tmp_path / "model", tmp_path / "state"
    words = study.train(output, state, *OFTEN)
    choice = random.Random(1)
    kills = torn = 0
    while kills < KILLS:
        forker.start(words)
        kill_at_random(forker, state, choice)
        assert forker.wait() == -signal.SIGKILL, "ended before it was killed: more steps are needed"
        kills += 1
        torn += bool(being_written(state))
    assert torn, "no kill met the writing of a state"
    # Once more, while the model is being written.
    forker.start(words)
    wait_until(output.exists, forker)
    os.kill(forker.pid, signal.SIGKILL)
    assert forker.wait() == -signal.SIGKILL
    assert forker.run(words) == 0
    assert_same_training(output, trained)
    assert not states(state)
    assert not being_written(state)
    assert 0 < json.loads((output / "provenance.json").read_text())["resumptions"] <= kills + 1


def test_stopped_by_signals_and_out_of_time(study: Study, trained: Path, tmp_path: Path) -> None:
    """As the workflow's rule runs it, in processes of its own."""
    output, state = tmp_path / "model", tmp_path / "state"
    command = [sys.executable, "-m", "taae", *study.train(output, state, *OFTEN)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for number in (signal.SIGTERM, signal.SIGINT):
        before = newest(state)
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        while newest(state) == before:
            time.sleep(0.001)
        process.send_signal(number)
        _, printed = process.communicate(timeout=60)
        assert process.returncode == RESUMABLE == 75
        assert "run the same command to go on" in printed.splitlines()[-1]
        assert not output.exists()
    out_of_time = [*command, "--time-budget", "0.01"]
    done = subprocess.run(out_of_time, capture_output=True, text=True, env=environment)
    assert done.returncode == RESUMABLE
    assert "the time budget is used up at step" in done.stderr
    subprocess.run(command, check=True, env=environment)
    assert_same_training(output, trained)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.fixture
def interrupted(study: Study, forker: Forker, tmp_path: Path) -> list[str]:
    """The command of a training that was stopped after its second step, having saved two states."""
    words = study.train(tmp_path / "model", tmp_path / "state")
    for step in (1, 2):
        assert forker.run([*words, "--time-budget", "0"]) == RESUMABLE
        assert f"at step {step};" in forker.log.read_text()
    assert len(states(tmp_path / "state")) == 2
    return words


@pytest.mark.parametrize("damage", [truncate, flip, empty])
def test_a_damaged_state_gives_way_to_the_one_before(
    interrupted: list[str], damage: Callable[[Path], None], forker: Forker, tmp_path: Path
) -> None:
    damage(states(tmp_path / "state")[-1])
    assert forker.run([*interrupted, "--time-budget", "0"]) == RESUMABLE
    log = forker.log.read_text()
    assert log.count("damaged (its checksum differs)") == 1
    assert "resuming at step 1 " in log
    assert "at step 2;" in log


def test_where_all_states_are_damaged_training_starts_again(
    interrupted: list[str], trained: Path, forker: Forker, tmp_path: Path
) -> None:
    for path, damage in zip(states(tmp_path / "state"), (truncate, flip), strict=True):
        damage(path)
    assert forker.run(interrupted) == 0
    assert "no state is undamaged; training from the start" in forker.log.read_text()
    assert_same_training(tmp_path / "model", trained)


class Evil:
    """Runs code where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.marker,))


def test_a_state_with_code_in_it_is_refused(
    interrupted: list[str], forker: Forker, tmp_path: Path
) -> None:
    """With a right checksum: whoever wrote it knew how."""
    folder = states(tmp_path / "state")[0].parent
    checkpoint.save({"progress": {"step": 9}, "codec": Evil(tmp_path / "ran")}, 9, folder)
    before = states(tmp_path / "state")
    assert forker.run(interrupted) == 1
    (line,) = forker.log.read_text().splitlines()
    assert line.startswith(f"error: {before[-1]}: refused")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "model").exists()
    assert states(tmp_path / "state") == before
    torch.load(before[-1], weights_only=False)
    assert (tmp_path / "ran").exists()  # so it would have run
