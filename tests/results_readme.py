"""results/README.md as tests read it: which files a run leaves, and what is in them."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

README = Path(__file__).parents[1] / "results" / "README.md"
NAME = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Entry:
    """A row of the first table; `columns` is empty where it names none."""

    path: str
    columns: list[str]

    def matches(self, path: str) -> bool:
        """Whether the row is about a path below results/."""
        return bool(re.match(_expression(self.path), path))


def entries() -> list[Entry]:
    """Return what the README says of every path."""
    return [Entry(_names(path)[0], _columns(cell)) for path, _, cell in table("results/")]


def sections() -> dict[str, str]:
    """Return the README's text by heading, as links name it."""
    parts = re.split(r"^#+ (.+)$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    headings = (heading.lower().replace(" ", "-") for heading in parts[1::2])
    return dict(zip(headings, parts[2::2], strict=True))


def table(section: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its first two lines."""
    lines = [line for line in sections()[section].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def names(section: str) -> list[str]:
    """Return what the first column of a section's table names."""
    return [name for row in table(section) for name in _names(row[0])]


def parts_of(cell: str) -> list[tuple[str, str]]:
    """Return the (section, "") and ("", column) that a cell of the first table adds up."""
    return re.findall(r"\]\(#([^)]+)\)|`([^`]+)`", cell.partition(" without ")[0])


def fields(path: Path) -> list[str]:
    """Return the columns of a table, the keys of a JSON file, or the arrays of an NPZ file."""
    if path.suffix == ".json":
        return list(json.loads(path.read_bytes()))
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return list(arrays.files)
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


def _columns(cell: str) -> list[str]:
    added = [each for part, own in parts_of(cell) for each in (names(part) if part else [own])]
    dropped = _names(cell.partition(" without ")[2])
    assert set(dropped) <= set(added), f"{cell}: leaves out what is not there"
    return [name for name in added if name not in dropped]


def _names(text: str) -> list[str]:
    return NAME.findall(text)


def _expression(path: str) -> str:
    """Return a pattern as a regular expression: {a,b} is one of them, {name} any name."""
    found = ""
    for part in re.split(r"(\{[^}]+\}|\*\*)", path):
        if part == "**":
            found += ".+"
        elif part.startswith("{"):
            options = part[1:-1].split(",")
            found += f"({'|'.join(map(re.escape, options))})" if len(options) > 1 else "[^/]+"
        else:
            found += re.escape(part)
    return found if path.endswith("/") else f"{found}$"
