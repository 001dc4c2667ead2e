"""Medians of things timed side by side, so that what else the machine does meets all alike."""

from __future__ import annotations

import atexit
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache

import torch

from taae.utils.errors import TaaeError
from taae.utils.gpus import compute

Work = Callable[[], Callable[[], object]]  # prepares, and returns what is timed


def pick_device(device: str | None) -> str:
    """Return `device`, or the GPU where torch sees one, else the CPU.

    A GPU is this process's own until its end, since a training on it would slow both down.

    Raises:
        TaaeError: there is a GPU, or one is asked for, but this process cannot have it.
    """
    if device == "cpu" or not (device or torch.cuda.device_count()):
        return "cpu"
    try:
        return _own_gpu()
    except TaaeError as error:
        raise TaaeError(f"bench: {error}; here: give --device cpu") from error


@cache
def _own_gpu() -> str:
    held = ExitStack()
    device = held.enter_context(compute(1))
    atexit.register(held.close)
    return device


def device_name(device: str) -> str:
    """Return what a GPU is called, or cpu."""
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


def medians(
    works: Mapping[str, Work], seconds: float = 1.0, least: int = 3, most: int = 50
) -> dict[str, float]:
    """Return the median seconds of each work, run in turns.

    Args:
        works: each is called, untimed, for the function that is timed.
        seconds: about how long all the rounds take, but for `least` and `most`.
        least: rounds at least, after one that is not counted.
        most: rounds at most.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    begun = time.perf_counter()
    for turn in range(most + 1):
        for name, prepare in works.items():
            work = prepare()
            started = now()
            work()
            times[name].append(now() - started)
        if turn >= least and time.perf_counter() - begun > seconds:
            break
    return {name: statistics.median(found[1:]) for name, found in times.items()}


def now() -> float:
    """Return seconds, once the GPU has done what was asked of it."""
    if torch.cuda.is_initialized():  # else this would take memory of a GPU that is another's
        torch.cuda.synchronize()
    return time.perf_counter()
