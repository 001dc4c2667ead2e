"""What a result depends on: values as canonical text, source files, versions, the machine."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
import subprocess
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import taae

PACKAGE = Path(__file__).parents[1]
# Modules that carry values between stages and change no result, and those that the study is made
# of, since every rule has its own part of it among its params; their few formulas are not tracked.
STUDY = {
    *("codec/config", "corpus/config", "evaluation/config", "training/config"),
    *("evaluation/other_codecs/config", "evaluation/robustness/config"),
    *("study/config", "study/load", "study/study", "study/tests"),
    *("utils/sample_rate", "utils/settings"),
}
PLUMBING = {
    *("utils/errors", "utils/files", "utils/fingerprint", "utils/gpus"),
    *("utils/log", "utils/object_storage", "training/kept", "codec/hub", *STUDY),
}


def canonical(value: Any) -> str:
    """Return a dataclass or JSON value as compact JSON with sorted keys: equal means equal."""
    plain = value if isinstance(value, (dict, list)) else asdict(value)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(*values: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `values`, as 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(canonical(value) for value in values).encode()).hexdigest()


def sources(module: str) -> list[Path]:
    """Return the files of a module such as "training/train" and of all it imports from here."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found and name not in PLUMBING:
            found.add(name)
            waiting += _imports(name)
    return sorted(_file(name) for name in found)


def _file(module: str) -> Path:
    path = PACKAGE / module
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Return the modules of this package that a module imports, also within functions."""
    names: list[str] = []
    for node in ast.walk(ast.parse(_file(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from taae.training import segments` imports a module, others import a class.
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    inside = [name.removeprefix("taae.").replace(".", "/") for name in names if "taae." in name]
    return tuple(name for name in dict.fromkeys(inside) if _file(name).is_file())


def provenance(device: str, details: dict[str, Any]) -> dict[str, Any]:
    """Return `details` of a model with the versions of code and libraries, and the device."""
    import torch  # the Snakefile, which imports this module, needs none

    return {
        **details,
        "code": taae.__version__,
        "git": _git(),
        "python": platform.python_version(),
        **libraries(),
        "device": torch.cuda.get_device_name() if device == "cuda" else _cpu(),
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

    def ask(*words: str) -> str:
        command = ["git", "-C", str(PACKAGE), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        ask("ls-files", "--error-unmatch", __file__)  # else: a clone of something else
        edited = bool(ask("status", "--porcelain", "--untracked-files=no"))
        return {"revision": ask("rev-parse", "HEAD"), "dirty": edited}
    except (OSError, subprocess.CalledProcessError):
        return {}
