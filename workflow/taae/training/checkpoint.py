"""The state of a training, on disk and in object storage: survives a kill at any moment."""

from __future__ import annotations

import contextlib
import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from taae.utils.errors import TaaeError
from taae.utils.files import atomic, sweep
from taae.utils.log import log
from taae.utils.object_storage import ObjectFolder

KEPT = 2
FILES = "step-*.pt"


def save(
    state: dict[str, Any], step: int, folder: Path, storage: ObjectFolder | None = None
) -> None:
    """Write `state` to `folder` atomically, and keep the newest two; in `storage` the newest one.

    The name holds the SHA-256 of the content, so that a damaged file betrays itself. A storage that
    cannot be reached is told in the log and ends no training: the next save tries again.
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
    if storage is not None:
        try:
            storage.upload(path)
            for name in set(storage.names()) - {path.name}:
                storage.remove(name)
        except TaaeError as error:
            log(f"{error}; the next save tries again")


def load(folder: Path, storage: ObjectFolder | None = None) -> dict[str, Any] | None:
    """Return the newest undamaged state of `folder`, or None without one.

    What `storage` has that is newer is brought to `folder` before.
    """
    paths = _newest_first(folder)
    if storage is not None:
        newer = [name for name in storage.names() if not paths or name > paths[0].name]
        for name in newer:
            storage.download(name, folder / name)
        paths = _newest_first(folder)
    for path in paths:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest()[:16] != path.stem.rsplit("-", 1)[1]:
            log(f"{path}: damaged (its checksum differs); trying the one before")
            continue
        try:  # weights_only: tensors and plain values, never code from a pickle
            # On the CPU: of several processes, each moves what it takes to its own GPU.
            state: dict[str, Any] = torch.load(io.BytesIO(content), "cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise TaaeError(
                f"{path}: refused, since it holds other things than tensors and plain values;"
                " remove it to train from the start"
            ) from error
        return state
    if paths:
        log(f"{folder}: no state is undamaged; training from the start")
    return None


def clear(state: Path, storage: ObjectFolder | None = None) -> None:
    """Remove the states of every training under `state`, and the folders that are empty then.

    States of other trainings of the same variant and seed belong to earlier configs or code. So do
    those in `storage`, which is emptied.
    """
    folders = list(state.glob("[0-9a-f]" * 16))
    for folder in folders:
        for path in folder.glob(FILES):
            path.unlink(missing_ok=True)
        sweep(folder, FILES)
    for folder in [*folders, state]:
        with contextlib.suppress(OSError):  # it holds something else
            folder.rmdir()
    if storage is not None:
        for name in storage.names():
            storage.remove(name)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob(FILES), reverse=True)
