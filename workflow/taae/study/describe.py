"""The config as people and editors read it: docs/configuration.md and a JSON schema.

Both are generated from the settings, by `python -m taae config --write`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING, Field, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter

from taae.codec.presets import PRESETS
from taae.study.config import StudyConfig

SCHEMA = Path("workflow/schemas/study.schema.json")
REFERENCE = Path("docs/configuration.md")
LIMITS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
    "multipleOf": "a multiple of",
}
INTRODUCTION = """\
# The config

Generated from the settings (`workflow/taae/*/config.py`) by `python -m taae config --write`.

A study is a YAML file. Every key has a default, so that an empty file is a study of one model, the
baseline; `config.yaml` is the demo. A key that is not known, or a value of another type or out of
its range, is an error of one line before anything runs. Numbers with an exponent need a point:
`1.0e-3`, since YAML takes `1e-3` for text.

**Overlays.** Write what you want to change into a file of your own and lay it over the demo:
`snakemake --cores all --configfile my-study.yaml`. Mappings merge, lists and values are replaced.
`workflow/studies/` has such files.

**Variants.** `model`, `attention`, `bottleneck` and `training` describe the baseline. A variant is
these sections with a few keys changed: `window-64: {attention: {window: 64}}` under `variants`. A
variant `{pretrained: FOLDER}` is a model that is decoded and scored, never trained.

**Ablations.** An ablation compares variants with a reference, and they may differ in the keys under
`varies` alone. An arm that cannot answer its question is an error: a window that removes nothing
from the training segments, or a rounding that is the same at an odd number of levels.

Editors that know the YAML language server complete and check the keys as you type, by the first
line of a file: `# yaml-language-server: $schema=workflow/schemas/study.schema.json`.
"""


def write(root: Path) -> list[Path]:
    """Write both files below the project's folder; return their paths."""
    contents = {SCHEMA: json.dumps(schema(), indent=1) + "\n", REFERENCE: reference()}
    for path, text in contents.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return list(contents)


def schema() -> dict[str, Any]:
    """Return the JSON schema of a study; for overlays too, since no section is required."""
    found = TypeAdapter(StudyConfig).json_schema()
    kinds = {kind.__name__: kind for _, kind in sections(StudyConfig)}
    for name, node in {StudyConfig.__name__: found, **found["$defs"]}.items():
        fields = kinds[name].__dataclass_fields__
        for key, about in node["properties"].items():
            text, unit = fields[key].metadata["description"], fields[key].metadata["title"]
            about.pop("title", None)
            about["description"] = f"{text} ({unit})" if unit else text
            if "$ref" in about or not (default := _default(fields[key])):
                about.pop("default", None)
            else:
                about["default"] = json.loads(default)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def reference() -> str:
    """Return docs/configuration.md."""
    defined = schema()
    nodes = {StudyConfig.__name__: defined, **defined["$defs"]}
    parts = [INTRODUCTION]
    for place, kind in sections(StudyConfig):
        rows = []
        for key, about in nodes[kind.__name__]["properties"].items():
            field = kind.__dataclass_fields__[key]
            if not _kind_within(get_type_hints(kind)[key]):
                default = _default(field)
                text, unit = field.metadata["description"], field.metadata["title"]
                rows.append(
                    [f"`{key}`", _type(about), unit or "", default and f"`{default}`", text]
                )
        if rows and not place.startswith("variants.NAME."):  # which are the baseline's
            about_it = kind.__doc__.split("\n\n")[0]
            parts.append(f"## {f'`{place}`' if place else 'The study'}\n\n{about_it}")
            parts.append(_table(["key", "type and range", "unit", "default", "what it is"], rows))
    shapes = [[f"`{name}`", *(str(shape[key]) for key in shape)] for name, shape in PRESETS.items()]
    parts.append("## Presets of `model.preset`")
    parts.append(_table(["preset", *PRESETS["demo"]], shapes))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def sections(kind: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the place of each section and its settings, the study first."""
    yield place, kind
    for key, hint in get_type_hints(kind).items():
        if within := _kind_within(hint):
            name = key if within is hint else f"{key}.NAME"
            yield from sections(within, f"{place}.{name}".lstrip("."))


def _kind_within(hint: Any) -> Any:
    """Return the settings that a key holds, itself or by name; None where it holds a value."""
    inner = (hint, *get_args(hint))
    return next((kind for kind in inner if is_dataclass(kind)), None)


def _default(field: Field[Any]) -> str:
    """Return the default of a key as JSON; empty for a section, and where there is none."""
    value = field.default if field.default_factory is MISSING else field.default_factory()
    return "" if value in (MISSING, None) or is_dataclass(value) else json.dumps(value)


def _type(about: dict[str, Any]) -> str:
    """Return the type and range of a key, from its part of the JSON schema."""
    if "enum" in about or "const" in about:
        return ", ".join(f"`{value}`" for value in about.get("enum", [about.get("const")]))
    if "anyOf" in about:
        return " or ".join(_type(each) for each in about["anyOf"] if each != {"type": "null"})
    if about["type"] == "array":
        return f"list of {_type(about['items'])}"
    names = {"string": "text", "boolean": "`true`, `false`"}
    limits = [f"{sign} {about[limit]:g}" for limit, sign in LIMITS.items() if limit in about]
    return ", ".join([names.get(about["type"], about["type"]), *limits])


def _table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)
