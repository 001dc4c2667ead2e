"""Progress: a bar where a person watches, plain lines with an estimate in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_muted = False


def mute() -> None:
    """Let this process log nothing from now on: another one says the same."""
    global _muted
    _muted = True


def log(message: str) -> None:
    """Print one line to standard error at once (`log:` of a rule catches it)."""
    if not _muted:
        print(message, file=sys.stderr, flush=True)


def progress(items: Iterable[T], total: int, what: str, every: float = 15.0) -> Iterator[T]:
    """Pass `items` on, reporting how far they are; in a log, one line each `every` seconds."""
    if sys.stderr.isatty():
        from tqdm import tqdm  # no job needs it, and every one would wait for it

        yield from tqdm(items, total=total, desc=what)
        return
    start = last = time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= every or count == total:
            last = now
            left = (now - start) / count * (total - count)
            log(f"{what}: {count}/{total}, {now - start:.0f} s, about {left:.0f} s left")
