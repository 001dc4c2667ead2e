"""A lock between processes, which the system frees however its holder ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from taae.utils.log import log


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on the file `path`; wait, and say so, while another process holds it.

    Where the file system has no locks, it says so and goes on without.
    """
    path.touch()  # fails where nothing can be written: that is no want of locks
    lock = FileLock(path, fallback_to_soft=False)
    with ExitStack() as held:
        try:
            held.enter_context(lock.acquire(timeout=0))
        except Timeout:
            log(f"{path}: another process is at work here; waiting for it")
            held.enter_context(lock.acquire())
        except OSError as error:
            log(f"{path}: going on without a lock, as this file system has none ({error.strerror})")
        yield
