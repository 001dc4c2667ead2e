"""How much memory a computation takes, and an error that says where there was too little."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from taae.utils.errors import TaaeError

MIB = 1024**2
# The CPU's allocator, CUDA beside PyTorch's allocator, and cuBLAS tell it by their words alone.
LACKING = ("can't allocate memory", "out of memory", "ALLOC_FAILED")


def peak_mib(work: Callable[[], object], device: str = "cpu") -> float:
    """Run `work` and return the most that it held at once beyond what there was before, in MiB."""
    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        work()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / MIB
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # or it tells of its start and its stop
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    # The trace is torch's public record of each allocation: `Bytes`, negative when given back.
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "trace.json"
        profiled.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    held = most = 0
    allocations = [event for event in events if event.get("name") == "[memory]"]
    for event in sorted(allocations, key=lambda event: event["ts"]):
        held += event["args"]["Bytes"]
        most = max(most, held)
    return most / MIB


def peak_bytes(device: torch.device) -> int:
    """Return the largest number of bytes that were in use so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024  # of getrusage
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextmanager
def explain_out_of_memory(what: str, advice: str, device: torch.device) -> Iterator[None]:
    """Raise a `TaaeError` where memory lacks: `what` does not fit, `advice` says what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not known and not any(words in str(error) for words in LACKING):
            raise
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "this machine"
        raise TaaeError(
            f"{what} do not fit the memory of {name}: {peak_bytes(device) / 2**30:.1f} GiB were in"
            f" use when more was asked for ({cause}). {advice}"
        ) from error
