"""Where a model comes from: what a reader needs in order to believe or repeat it."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import asdict, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import taae


def provenance(device: torch.device, details: dict[str, Any]) -> dict[str, Any]:
    """Return `details` with the versions of code and libraries and the device, as plain JSON."""
    plain = {
        name: asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        for name, value in details.items()
    }
    return {
        **plain,
        "code": taae.__version__,
        "git": _git(),
        "python": platform.python_version(),
        **libraries(),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else _cpu(),
        "threads": torch.get_num_threads(),
    }


def libraries() -> dict[str, str]:
    """Return the versions of the libraries that a training computes with."""
    return {name: version(name) for name in ("torch", "numpy")}


def _cpu() -> str:
    """Return the model of the processor where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _git() -> dict[str, Any]:
    """Return the revision of the code and whether it was edited since; empty outside a clone."""
    here = Path(__file__).parent

    def ask(*words: str) -> str:
        command = ["git", "-C", str(here), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        ask("ls-files", "--error-unmatch", Path(__file__).name)  # else: a clone of something else
        edited = bool(ask("status", "--porcelain", "--untracked-files=no"))
        return {"revision": ask("rev-parse", "HEAD"), "dirty": edited}
    except (OSError, subprocess.CalledProcessError):
        return {}
