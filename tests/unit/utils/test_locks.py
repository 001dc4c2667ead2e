"""Locks: one holder at a time, whoever waits says so, and no lock outlives its holder."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from taae.utils import locks
from taae.utils.locks import locked

FORK = get_context("fork")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(locks, "log", found.append)
    return found


def test_a_lock_has_one_holder(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "lock"
    together, inside = FORK.Barrier(4), FORK.Value("i", 0)

    def hold() -> None:
        together.wait()
        for _ in range(10):
            with locked(path):
                inside.value += 1
                assert inside.value == 1
                time.sleep(0.002)
                inside.value -= 1

    processes = [FORK.Process(target=hold) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def test_a_killed_process_leaves_none(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "lock"

    def die() -> None:
        with locked(path):
            os.kill(os.getpid(), signal.SIGKILL)

    process = FORK.Process(target=die)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    with locked(path):
        assert path.exists()
    assert lines == []


def test_who_waits_says_so_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    lines: list[str] = []
    held, release = FORK.Event(), FORK.Event()

    def hold() -> None:
        with locked(path):
            held.set()
            release.wait(60)

    def log(line: str) -> None:
        lines.append(line)
        release.set()

    monkeypatch.setattr(locks, "log", log)
    holder = FORK.Process(target=hold)
    holder.start()
    assert held.wait(60)
    with locked(path):
        assert release.is_set()
    holder.join(60)
    assert lines == [f"{path}: another process is at work here; waiting for it"]


def test_work_goes_on_where_there_are_no_locks(
    tmp_path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path / "lock"):
        pass
    assert lines == [
        f"{tmp_path}/lock: going on without a lock, as this file system has none"
        " (No locks available)"
    ]


def test_a_folder_that_is_not_there_is_no_want_of_locks(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "none" / "lock"):
        pass
    assert lines == []
