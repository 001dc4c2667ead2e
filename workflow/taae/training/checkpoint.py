"""The state of a training on disk: survives a kill at any moment."""

from __future__ import annotations

import contextlib
import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from taae.training.out_of_memory import is_out_of_memory
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, sweep
from taae.utils.log import log

KEPT = 2
FILES = "step-*.pt"
State = dict[str, Any]


def save(state: State, step: int, folder: Path) -> Path:
    """Write `state` to `folder` atomically, keep the newest two, and return its path.

    The name holds the SHA-256 of the content, so that a damaged file betrays itself.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"step-{step:08d}-{digest[:16]}.pt"
    with atomic(path) as temporary:
        temporary.write_bytes(content)
    sweep(folder, FILES)
    for old in _newest_first(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def load(folder: Path) -> State | None:
    """Return the newest undamaged state of `folder`, or None without one."""
    for path in _newest_first(folder):
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest()[:16] == path.stem.rsplit("-", 1)[1]:
            try:  # weights_only: tensors and plain values, never code from a pickle
                # On the CPU: of several processes, each moves what it takes to its own GPU.
                state: State = torch.load(io.BytesIO(content), "cpu", weights_only=True)
            except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
                if is_out_of_memory(error):
                    raise
                raise TaaeError(
                    f"{path}: refused, since it holds other things than tensors and plain values;"
                    " remove it to train from the start"
                ) from error
            return state
        log(f"{path}: damaged (its checksum differs); trying the one before")
    if _newest_first(folder):
        log(f"{folder}: no state is undamaged; training from the start")
    return None


def clear(state: Path) -> None:
    """Remove the states of every training under `state`, and the folders that are empty then.

    States of other trainings of the same variant and seed belong to earlier configs or code.
    """
    folders = list(state.glob("[0-9a-f]" * 16))
    for folder in folders:
        for path in _newest_first(folder):
            path.unlink(missing_ok=True)
        sweep(folder, FILES)
    for folder in [*folders, state]:
        with contextlib.suppress(OSError):  # it holds something else
            folder.rmdir()


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob(FILES), reverse=True)
