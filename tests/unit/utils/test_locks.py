"""Locks: one holder at a time, whoever waits says so, and no lock outlives its holder."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from multiprocessing import get_context
from pathlib import Path

import pytest

from taae.utils import locks
from taae.utils.locks import lock, locked

FORK = get_context("fork")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(locks, "log", found.append)
    return found


@pytest.mark.parametrize("folder", [False, True])
def test_a_lock_has_one_holder_until_it_is_closed(tmp_path: Path, folder: bool) -> None:
    path = tmp_path if folder else tmp_path / "lock"
    flags = os.O_RDONLY if folder else os.O_WRONLY | os.O_CREAT
    first, second = os.open(path, flags), os.open(path, flags)
    assert lock(first)
    assert not lock(second)
    os.close(first)
    assert lock(second)
    os.close(second)


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


def test_who_waits_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    lines: list[str] = []
    holder = path.open("w")
    assert lock(holder.fileno())

    def log(line: str) -> None:
        lines.append(line)
        holder.close()

    monkeypatch.setattr(locks, "log", log)
    with locked(path):
        other = path.open("w")
        assert not lock(other.fileno())
        other.close()
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
