"""How fast the segments of a training come: from a disk that has not read them, and a slow one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from taae.corpus.store import Split
from taae.training import segments
from taae.training.config import Variant

FILES, SAMPLES = 4, 2**25  # shards of noise, 256 MiB in all
READ = 200  # segments, of which few were read by chance before
# Like a disk that many machines share: seconds until a read begins, and bytes per second of all
# reads together.
LATENCY, RATE = 0.02, 1e8
FASTER = 10  # than the training that was measured
STEPS = 50


class SlowSplit(Split):
    """A split on such a disk."""

    def __init__(self, audio: list[tuple[Path, int]]) -> None:
        super().__init__(audio, Path(), "")
        self._line = Lock()

    def stored(self, start: int, samples: int) -> NDArray[np.int16]:
        """Return a stretch after as long as that disk takes."""
        time.sleep(LATENCY)
        with self._line:
            time.sleep(2 * samples / RATE)
        return super().stored(start, samples)


def loader_figures(variant: Variant, step_seconds: float) -> dict[str, float]:
    """Return segments per second, and the share of its time that a faster training would wait.

    Args:
        variant: whose segments are read.
        step_seconds: what one of its training steps takes; `FASTER` ones are simulated.
    """
    with TemporaryDirectory() as folder:
        audio = [(Path(folder, f"{number}.npy"), SAMPLES) for number in range(FILES)]
        noise = np.random.default_rng(0).integers(-999, 999, SAMPLES, dtype=np.int16)
        for path, _ in audio:
            np.save(path, noise)
        forget([path for path, _ in audio])
        cold, slow = Split(audio, Path(), ""), SlowSplit(audio)
        samples, size = variant.segment_samples, variant.training.batch
        fetch = partial(segments.batch, slow, samples, size, 1)
        one = partial(segments.batch, cold, samples, 1, 0)
        return {
            "loader_cold_segments_per_s": round(rate(one), 1),
            "loader_slow_segments_per_s": round(size * rate(segments.Prefetcher(fetch)), 1),
            f"loader_slow_share_at_{FASTER}x": round(waiting(fetch, step_seconds / FASTER), 4),
        }


def forget(paths: list[Path]) -> None:
    """Have the system drop what it keeps of files in memory, where it can be asked to."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def rate(fetch: Callable[[int], Tensor]) -> float:
    """Return fetched batches per second."""
    begun = time.perf_counter()
    for step in range(READ):
        fetch(step)
    return READ / (time.perf_counter() - begun)


def waiting(fetch: Callable[[int], Tensor], step_seconds: float) -> float:
    """Return the share of its time that a training waits for batches that are fetched ahead."""
    batches = segments.Prefetcher(fetch)
    batches(0)
    begun, waited = time.perf_counter(), 0.0
    for step in range(1, STEPS + 1):
        time.sleep(step_seconds)
        asked = time.perf_counter()
        batches(step)
        waited += time.perf_counter() - asked
    return waited / (time.perf_counter() - begun)
