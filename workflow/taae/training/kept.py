"""Finished models under the key of what determined them, so that none is lost or trained twice.

The files are hard links to those of the model folder: they take room of their own only after
another model has replaced that one. No torch.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from taae.utils.errors import TaaeError
from taae.utils.files import atomic, file_sha256, write_json
from taae.utils.object_storage import ObjectFolder

FILES = ("model.safetensors", "config.json", "history.csv", "provenance.json")
CHECKSUMS = "sha256.json"


def keep(model: Path, kept: Path, storage: ObjectFolder | None = None) -> float | None:
    """Link a trained model into its folder below `kept`; return the hours that its training took.

    None where `model` holds none: nothing, or the copy of a pretrained model, which is elsewhere.

    Args:
        model: folder of the model; its provenance.json holds the key.
        kept: folder of all the models of this variant and seed.
        storage: where a copy goes, since the disk of this machine may be gone tomorrow.
    """
    try:
        about = json.loads((model / "provenance.json").read_text(encoding="utf-8"))
        folder, hours = kept / about["training"][:16], about["seconds"] / 3600
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not all((model / name).is_file() for name in FILES):
        return None
    if not is_whole(folder):
        with atomic(folder) as temporary:
            temporary.mkdir()
            for name in FILES:
                _link(model / name, temporary / name)
            hashes = {name: file_sha256(temporary / name) for name in FILES}
            write_json(hashes, temporary / CHECKSUMS)
    if storage is not None:
        copy = storage / folder.name
        for name in (*FILES, CHECKSUMS):  # the checksums last: with them a model is whole
            copy.upload(folder / name)
    return float(hours)


def restore_model(kept: Path, key: str, model: Path, storage: ObjectFolder | None = None) -> bool:
    """Link the model with a key into a model folder; return False where it is not kept whole.

    One that `storage` has is brought to `kept` before.
    """
    folder = kept / key[:16]
    if storage is not None and not is_whole(folder):
        copy = storage / folder.name
        for name in copy.names():
            copy.download(name, folder / name)
    if not is_whole(folder):
        return False
    for name in FILES:
        with atomic(model / name) as temporary:
            _link(folder / name, temporary)
            os.utime(temporary)  # newer than what it was made of, as if it had been trained now
    return True


def is_whole(folder: Path) -> bool:
    """Return whether a model with checksums beside it has every file as it was written."""
    try:
        hashes = json.loads((folder / CHECKSUMS).read_text(encoding="utf-8"))
        return all(file_sha256(folder / name) == hashes[name] for name in FILES)
    except (OSError, ValueError, KeyError, TaaeError):
        return False


def _link(source: Path, target: Path) -> None:
    """Make a hard link, or a copy where the file system has none."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
