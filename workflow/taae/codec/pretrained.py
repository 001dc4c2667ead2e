"""Models that a study did not train: an imported checkpoint, or one of another study. No torch.

Such a variant takes its codec from the model's config.json, is decoded and scored as the others
are, and never trained.
"""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from taae.utils.errors import TaaeError
from taae.utils.files import atomic, file_sha256, write_json

WEIGHTS, CONFIG, PROVENANCE = "model.safetensors", "config.json", "provenance.json"
SECTIONS = {"model", "attention", "bottleneck"}  # of a study; the rest is the sample rate


def read_config(folder: Path) -> dict[str, Any]:
    """Return the config.json of a model folder: the sections of a codec and its sample rate."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TaaeError(f"{folder}: not a model folder ({path}: {error})") from error
    if not isinstance(config, dict) or set(config) != SECTIONS | {"sample_rate"}:
        raise TaaeError(f"{path}: not the config of a codec")
    return config


@cache
def fingerprint(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of a model's weights and config: what decoding it depends on."""
    return {name: file_sha256(folder / name) for name in (WEIGHTS, CONFIG)}


def copy_model(folder: Path, output: Path) -> None:
    """Copy a model to `output`, with a provenance.json that says where it is from."""
    hashes = fingerprint(folder)
    for name in (WEIGHTS, CONFIG):
        with atomic(output / name) as temporary:
            shutil.copyfile(folder / name, temporary)
    about: dict[str, Any] = {"pretrained": str(folder), "sha256": hashes}
    if (folder / PROVENANCE).is_file():
        about["source"] = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    write_json(about, output / PROVENANCE)
