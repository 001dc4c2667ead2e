"""The study's schema: defaults, and validation whose errors are one line for a person."""

from __future__ import annotations

import copy
import difflib
import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from taae.utils.errors import TaaeError

SCHEMAS = Path(__file__).parents[2] / "schemas"

Json = dict[str, Any]


@cache
def schema(name: str = "study") -> Json:
    """Return a schema, as read from `workflow/schemas/`."""
    path = SCHEMAS / f"{name}.schema.yaml"
    loaded: Json = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


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


def validate(config: Json, name: str = "study") -> None:
    """Raise a `TaaeError` of one line for the first thing that a schema does not allow."""
    validator = jsonschema.Draft202012Validator(schema(name))
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is not None:
        raise TaaeError(_explain(error))


def with_defaults(config: Json) -> Json:
    """Return a copy in which every absent key has its default from the schema.

    Overrides of variants stay as sparse as they were written.
    """
    filled: Json = _fill(copy.deepcopy(config), schema())
    return filled


def section_defaults(name: str) -> Json:
    """Return a section of the study in which every key has its default."""
    filled: Json = _fill({}, schema()["$defs"][name])
    return filled


def _fill(value: Any, node: Json) -> Any:
    node = _resolve(node)
    if not isinstance(value, dict) or node is schema()["$defs"]["overrides"]:
        return value
    for key, child in node.get("properties", {}).items():
        if key not in value and "default" in _resolve(child) | child:
            value[key] = copy.deepcopy((_resolve(child) | child)["default"])
        if key in value:
            value[key] = _fill(value[key], child)
    other = node.get("additionalProperties")
    if isinstance(other, dict):
        for key in value.keys() - node.get("properties", {}).keys():
            value[key] = _fill(value[key], other)
    return value


def _resolve(node: Json) -> Json:
    while "$ref" in node:
        node = schema()["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


def _explain(error: jsonschema.ValidationError) -> str:
    """Say where and what is wrong, in the words of a config file rather than of JSON Schema."""
    where = ".".join(str(part) for part in error.absolute_path) or "the study"
    if error.validator == "additionalProperties":
        node: Any = error.schema
        instance: Any = error.instance
        known = list(node.get("properties", {}))
        key = next(key for key in instance if key not in known)
        close = difflib.get_close_matches(str(key), known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}"
        return f"config: {where}: unknown key '{key}'; {hint}"
    if error.validator == "type" and isinstance(error.instance, str):
        return (
            f"config: {where}: '{error.instance}' is text, not a {error.validator_value}"
            " (numbers with an exponent need a point in YAML: 1.0e-3)"
        )
    return f"config: {where}: {error.message}"
