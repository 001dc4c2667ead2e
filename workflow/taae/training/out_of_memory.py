"""A model or a batch that does not fit the memory: what was needed, and what to change."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from taae.codec.layer_geometry import parameter_count
from taae.training.config import Variant
from taae.utils.errors import TaaeError

# The CPU's allocator, CUDA beside PyTorch's allocator, and cuBLAS tell it by their words alone.
LACKING = ("can't allocate memory", "out of memory", "ALLOC_FAILED")


@contextmanager
def explain_model_out_of_memory(variant: Variant, device: torch.device) -> Iterator[None]:
    """Raise a `TaaeError` that says what to change, where a training's weights do not fit."""
    count = parameter_count(variant.codec)
    what = (
        f"model: {count / 1e6:.1f}M parameters, their average and what else a training keeps"
        " between its steps"
    )
    with _explain(device, what, "Take a smaller model, or a machine with more memory"):
        yield


@contextmanager
def explain_batch_out_of_memory(variant: Variant, device: torch.device) -> Iterator[None]:
    """Raise a `TaaeError` that says what to change, where a batch does not fit."""
    training = variant.training
    what = (
        f"training.batch: {training.batch} segments of {training.segment:g} s in {training.parts}"
        " part(s), of which each process computes one at a time,"
    )
    advice = (
        "Make training.batch smaller, training.accumulate larger, or set training.checkpointing"
    )
    with _explain(device, what, advice):
        yield


@contextmanager
def _explain(device: torch.device, what: str, advice: str) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "this machine"
        raise TaaeError(
            f"{what} do not fit the memory of {name}:"
            f" {peak_bytes(device) / 2**30:.1f} GiB were in use when more was asked for ({cause})."
            f" {advice}"
        ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory is lacking."""
    known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return known or any(words in str(error) for words in LACKING)


def peak_bytes(device: torch.device) -> int:
    """Return the largest number of bytes that were in use so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024  # of getrusage
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
