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

from taae.codec.config import CodecConfig
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, file_sha256, write_json
from taae.utils.settings import validate

WEIGHTS, CONFIG, PROVENANCE = "model.safetensors", "config.json", "provenance.json"
LATER = {
    "kind",
    "biases",
    "preset",
    "random_levels",
    "random_windows",
    "shares",
}  # keys that older models have not


def read_config(folder: Path) -> CodecConfig:
    """Return the config of the codec in a model folder; defaults of studies play no part in it.

    Raises:
        TaaeError: the file is missing, or is not the config of a codec.
    """
    path = folder / CONFIG
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        config: CodecConfig = validate(CodecConfig, content)
        for name in ("model", "attention", "bottleneck"):
            given = content[name].keys() | LATER
            for lacking in getattr(config, name).__dataclass_fields__.keys() - given:
                raise TaaeError(f"{name}: no key '{lacking}'")
        return config
    except OSError as error:
        raise TaaeError(f"{path}: {error.strerror}; is {folder} a model?") from error
    except (ValueError, TaaeError) as error:
        raise TaaeError(f"{path}: not the config of a codec: {error}") from error


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
    about: dict[str, Any] = {"pretrained": model_name(folder), "sha256": hashes}
    if (folder / PROVENANCE).is_file():
        about["source"] = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    write_json(about, output / PROVENANCE)


def model_name(folder: Path) -> str:
    """Return what a folder is called: user/name@commit in the hub's cache, else its path."""
    commit, snapshots, repository = folder.name, folder.parent.name, folder.parent.parent.name
    if snapshots == "snapshots" and repository.startswith("models--"):
        return f"{repository.removeprefix('models--').replace('--', '/')}@{commit}"
    return str(folder)
