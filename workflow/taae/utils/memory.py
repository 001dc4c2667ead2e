"""How much memory a computation takes while it runs: of tensors, exact, on any device."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

MIB = 1024**2


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
    for event in sorted((e for e in events if e.get("name") == "[memory]"), key=_when):
        held += event["args"]["Bytes"]
        most = max(most, held)
    return most / MIB


def _when(event: dict[str, float]) -> float:
    return event["ts"]
