"""Config files, and overlays laid over them, as `snakemake --configfile` does."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from taae.utils.errors import TaaeError

Json = dict[str, Any]


def layered(paths: Iterable[Path]) -> Json:
    """Return the config of files laid over each other."""
    config: Json = {}
    for path in paths:
        config = merge(config, read_yaml(Path(path)))
    return config


def read_yaml(path: Path) -> Json:
    """Read one config file; an error names the file and the line."""
    # JSON is not quite YAML: PyYAML takes JSON's 1e-05 for text.
    parse = json.loads if path.suffix == ".json" else yaml.safe_load
    try:
        value = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise TaaeError(f"{path}: not a readable config file: {error}") from error
    if not isinstance(value, dict):
        raise TaaeError(f"{path}: a study is a mapping of sections, not {type(value).__name__}")
    return value


def merge(base: Json, overlay: Json) -> Json:
    """Lay `overlay` over `base`: mappings merge, everything else is replaced."""
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if both else copy.deepcopy(value)  # type: ignore[arg-type]
    return merged


def in_order(config: Json, like: Json) -> Json:
    """Return a config with its keys in the order of another one, and what that lacks after them."""
    known = [key for key in like if key in config]
    ordered = {}
    for key in [*known, *(key for key in config if key not in like)]:
        value, other = config[key], like.get(key)
        both = isinstance(value, dict) and isinstance(other, dict)
        ordered[key] = in_order(value, other) if both else value  # type: ignore[arg-type]
    return ordered
