"""Finished models under the key of what determined them, so that none is lost or trained twice.

The files are hard links to those of the model folder: they take room of their own only after
another model has replaced that one. No torch.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from taae.utils.errors import TaaeError
from taae.utils.files import atomic, file_sha256, write_json

FILES = ("model.safetensors", "config.json", "history.csv", "provenance.json")
CHECKSUMS = "sha256.json"


def keep(model: Path, kept: Path) -> bool:
    """Link a trained model into its folder below `kept`; return whether `model` holds one.

    Args:
        model: folder of the model; its provenance.json holds the key.
        kept: folder of all the models of this variant and seed.
    """
    if not all((model / name).is_file() for name in FILES):
        return False
    key = _provenance(model).get("training")
    if not key:  # a copy of a pretrained model, which is elsewhere
        return False
    folder = _folder(kept, key)
    if not _is_whole(folder):
        with atomic(folder) as temporary:
            temporary.mkdir()
            for name in FILES:
                _link(model / name, temporary / name)
            hashes = {name: file_sha256(temporary / name) for name in FILES}
            write_json(hashes, temporary / CHECKSUMS)
    return True


def is_kept(kept: Path, key: str) -> bool:
    """Return whether a model with this key is there, with every file as it was written."""
    return _is_whole(_folder(kept, key))


def restore_model(kept: Path, key: str, model: Path) -> None:
    """Link a model that `is_kept` into its model folder."""
    for name in FILES:
        with atomic(model / name) as temporary:
            _link(_folder(kept, key) / name, temporary)
            os.utime(temporary)  # newer than what it was made of, as if it had been trained now


def hours_of(model: Path) -> float:
    """Return how many hours the training of a model took."""
    return float(_provenance(model).get("seconds", 0.0)) / 3600


def _provenance(model: Path) -> dict[str, Any]:
    try:
        about = json.loads((model / "provenance.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _folder(kept: Path, key: str) -> Path:
    return kept / key[:16]


def _is_whole(folder: Path) -> bool:
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
