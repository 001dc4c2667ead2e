"""A batch that does not fit the memory: what was needed, and what to change."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from taae.errors import TaaeError
from taae.study import Variant


@contextmanager
def fitting(variant: Variant, device: torch.device) -> Iterator[None]:
    """Turn a lack of memory into a `TaaeError` that says what was needed and what to change."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch tells a lack of the CPU's memory by the words of its allocator alone.
        lacking = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not lacking and "can't allocate memory" not in str(error):
            raise
        training = variant.training
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TaaeError(
            f"training.batch: {training.batch} segments of {training.segment:g} s in"
            f" {training.parts} part(s), of which each process computes one at a time, do not fit"
            f" the memory of {_name(device)}:"
            f" {peak_bytes(device) / 2**30:.1f} GiB were in use when more was asked for ({cause})."
            " Make training.batch smaller, training.accumulate larger, or set"
            " training.checkpointing"
        ) from error


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "this machine"


def peak_bytes(device: torch.device) -> int:
    """Return the largest number of bytes that were in use so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024  # of getrusage
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
