"""Locks between processes, which the system frees however their holder ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taae.utils.log import log


def lock(descriptor: int, wait: bool = False) -> bool:
    """Lock an open file or folder, unless it is locked already; return whether it is locked now.

    Whoever opens it again is somebody else, in this process too. The lock ends when the descriptor
    is closed, and any copies of it in forked processes, so with these at the latest: none is ever
    left behind, and a lock file that is there says nothing about whether somebody holds it.

    Args:
        descriptor: of a file, open for writing, since some network file systems lock no others;
            or of a folder, which these do not lock at all.
        wait: for whoever holds the lock, however long; then it is always locked on return.

    Raises:
        OSError: this file system has no locks, or none for what the descriptor is of.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait, and say so, until no other process holds the lock on the file `path`, and hold it.

    Where the file system has no locks, it says so and goes on without.
    """
    with path.open("w") as file:
        try:
            free = lock(file.fileno())
        except OSError as error:
            log(f"{path}: going on without a lock, as this file system has none ({error.strerror})")
            free = True
        if not free:
            log(f"{path}: another process is at work here; waiting for it")
            lock(file.fileno(), wait=True)
        yield
