"""What the benchmarks share: device, rounds side by side, and the JSON line at the end."""

from __future__ import annotations

import atexit
import json
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache
from typing import Any

import torch

from taae.utils.errors import TaaeError
from taae.utils.gpus import compute

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
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


def ready(work: Callable[[], object]) -> Work:
    """Return the `Work` of a function that needs no preparation."""
    return lambda: work


def medians(
    works: Mapping[str, Work], seconds: float = 1.0, least: int = 3, most: int = 50
) -> dict[str, float]:
    """Return the median seconds of each work, run in turns: all meet the same disturbances.

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


def report(figures: dict[str, Any]) -> dict[str, Any]:
    """Print figures as the one JSON line that ends a benchmark, and return them."""
    print(json.dumps(figures))
    return figures


def now() -> float:
    """Return seconds, once the GPU has done what was asked of it."""
    if torch.cuda.is_initialized():  # else this would take memory of a GPU that is another's
        torch.cuda.synchronize()
    return time.perf_counter()
