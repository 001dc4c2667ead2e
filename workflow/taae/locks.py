"""Locks between processes, which the system frees however their holder ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taae.progress import log


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock on the file `path`, and hold it."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log(f"{path}: another process is at work here; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            log(f"{path}: going on without a lock, as this file system has none ({error.strerror})")
        yield
