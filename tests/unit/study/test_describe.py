"""What is generated from the settings says what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Set
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import validate

from taae.study.config import StudyConfig
from taae.study.describe import generated, schema

ROOT = Path(__file__).parents[3]
STUDIES = [ROOT / "config.yaml", *sorted((ROOT / "workflow" / "studies").glob("*.yaml"))]


def test_the_files_are_in_step_with_the_settings() -> None:
    for path, text in generated(ROOT).items():
        assert path.read_text(encoding="utf-8") == text, "run `python -m taae config`"


def leaves(value: Any, keys: Set[str], place: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a config by dotted key; a mapping among `keys` is one value."""
    for key, inner in value.items():
        if isinstance(inner, dict) and inner and f"{place}{key}" not in keys:
            yield from leaves(inner, keys, f"{place}{key}.")
        else:
            yield f"{place}{key}", inner


def test_every_key_is_in_the_reference_with_its_default_and_a_text() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title = part.splitlines()[0].strip("`")
        prefix = "" if title == "The study" else f"{title}."
        for row in re.findall(r"^\| `.*\|$", part, flags=re.MULTILINE):
            key, _, _, default, about = (cell.strip() for cell in row.split("|")[1:6])
            found[prefix + key.strip("`")] = default.strip("`")
            assert about
    for key, default in leaves(asdict(StudyConfig()), found.keys()):
        if default is None:  # a section that may be left out has none
            assert found[key] == ""
        else:
            assert json.loads(found[key]) == default, key


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_editors_find_the_schema_and_it_allows_the_shipped_studies(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    place = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert place
    validate(yaml.safe_load(text), str(path.parent / place[1]), set_default=False)


def test_the_schema_refuses_what_the_settings_refuse() -> None:
    nodes = schema()["$defs"]
    assert nodes["Attention"]["properties"]["window"]["exclusiveMinimum"] == 0
    assert nodes["Metrics"]["properties"]["names"]["uniqueItems"]
    assert "required" not in nodes["Training"]
    assert nodes["Training"]["additionalProperties"] is False


def test_a_section_that_may_be_left_out_is_no_section_by_name() -> None:
    text = generated(ROOT)[ROOT / "docs" / "configuration.md"]
    row = next(line for line in text.splitlines() if line.startswith("| `trunk` |"))
    assert row.split("|")[2:5] == [" mapping ", "  ", "  "]
    assert "trunk.NAME" not in text
    assert "## `variants.NAME`" in text
