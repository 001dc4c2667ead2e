"""Random segments of the training split: which ones is a function of (seed, step) alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from taae.corpus.store import Split
from taae.utils.errors import TaaeError

AHEAD, READERS = 8, 4  # steps that are fetched ahead, and threads that fetch them


def batch(
    split: Split,
    samples: int,
    size: int,
    seed: int,
    step: int,
    part: tuple[int, int] = (0, 1),
) -> Tensor:
    """Return the segments (size, samples), float32, that training step `step` sees.

    Segments are drawn uniformly from the split's utterances laid end to end, so that a segment
    may be longer than an utterance. Where `part` is (i, n), part i of n equal ones is returned.
    """
    last = split.samples - samples
    if last < 0:
        raise TaaeError(
            f"training.segment: {samples} samples are longer than the whole training split"
            f" ({split.samples} samples)"
        )
    index, count = part
    starts = np.random.default_rng([seed, step]).integers(0, last + 1, size)
    starts = np.split(starts, count)[index]
    return torch.from_numpy(np.stack([split.segment(int(start), samples) for start in starts]))


def fixed(split: Split, samples: int, largest: int) -> Tensor:
    """Return up to `largest` segments spread evenly over a split, for validation."""
    count = max(1, min(largest, split.samples // samples))
    starts = np.linspace(0, max(0, split.samples - samples), count).astype(int)
    length = min(samples, split.samples)
    return torch.from_numpy(np.stack([split.segment(int(start), length) for start in starts]))


def cut(whole: int, samples: int, seed: int, step: int) -> slice:
    """Return a random stretch of `samples` out of `whole`, the same for the whole batch."""
    if samples >= whole:
        return slice(0, whole)
    start = int(np.random.default_rng([seed, step, 1]).integers(0, whole - samples + 1))
    return slice(start, start + samples)


class Prefetcher:
    """Fetches the segments of the next steps in threads, while this one is computed.

    Several steps ahead and several at a time, so that a disk that is slow to answer, such as one
    over a network, keeps up.
    """

    def __init__(self, fetch: Callable[[int], Tensor]) -> None:
        self.fetch = fetch
        self._threads = ThreadPoolExecutor(READERS, "segments")
        self._ahead: dict[int, Future[Tensor]] = {}

    def __call__(self, step: int) -> Tensor:
        """Return `fetch(step)`; any step may be asked for, and the next in order are ready."""
        self._ahead = {
            each: self._ahead.get(each) or self._threads.submit(self.fetch, each)
            for each in range(step, step + AHEAD + 1)
        }
        return self._ahead[step].result()
