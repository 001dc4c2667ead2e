"""Where the time of a training step goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PHASES = ("data", "generator", "discriminator", "optimiser")


class Phases:
    """Seconds spent in each phase; a phase within another interrupts it.

    data: waiting for segments of the corpus, which are fetched ahead, and for the device to have
        them.
    generator: the codec's passes, and those of the terms that need no discriminator.
    discriminator: its passes, for its own loss and for the codec's.
    optimiser: clipping, updates, averaged weights.

    Args:
        now: seconds; on a GPU, one that waits for what was asked of it.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.now = now
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Count the time in the context."""
        self._settle()
        self._open.append(phase)
        try:
            yield
        finally:
            self._settle()
            self._open.pop()

    def _settle(self) -> None:
        now = self.now()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now
