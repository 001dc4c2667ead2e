"""Weights in the form of torch that packages ship: found without importing them, known by hash.

The packages' own code imports what need not be there, and unpickles.
"""

from __future__ import annotations

import hashlib
import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from taae.utils.errors import TaaeError


def packaged(package: str, name: str, needs: str) -> Path:
    """Return where a package that can be imported has the file `name`.

    Raises:
        TaaeError: the package is not installed; `needs` says how to install it.
    """
    spec = find_spec(package)
    folders = (spec and spec.submodule_search_locations) or []
    if not folders:
        raise TaaeError(f"no package {package}; install {needs}")
    return Path(folders[0]) / name


def read_state(path: Path, expected: str, part: str, needs: str) -> dict[str, Any]:
    """Return the tensors by name that a file of torch has as its `part`; nothing in it is run.

    Raises:
        TaaeError: the file cannot be read, or its SHA-256 is not `expected`; `needs` says where
            the right one is.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TaaeError(f"{path}: cannot be read ({error.strerror}); take {needs}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise TaaeError(
            f"{path}: not the published weights: its SHA-256 is {found}, not {expected};"
            f" take {needs}"
        )
    state: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    tensors: dict[str, Any] = state[part]
    return tensors
