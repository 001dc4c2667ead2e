"""Where the time of a training step goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PHASES = ("data", "generator", "discriminator", "optimiser")


class Phases:
    """Seconds spent in each phase; a phase within another interrupts the outer one.

    data: waiting for segments of the corpus, which a thread fetches, and copying to the device.
    generator: passes of the codec, and of all loss terms without the discriminator.
    discriminator: its passes, for its own loss and for the codec's loss.
    optimiser: clipping, updates, averaged weights.

    Args:
        now: a clock in seconds; on a GPU it waits until the GPU has finished its work.
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
