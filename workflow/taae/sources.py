"""Which source files a stage is made of: what it imports, directly and through others."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
# Modules that carry values between stages and change no result, and those that the study is made
# of, since every rule has its own part of it among its params; their few formulas are not tracked.
STUDY = {"canonical", "recipe", "resolving", "sample_rate", "sections", "study", "variant"}
PLUMBING = {"devices", "errors", "files", "locks", "progress", "provenance", "schema", *STUDY}


def sources(module: str) -> list[Path]:
    """Return the files of a module such as "training/loop" and of all it imports from here."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found and name not in PLUMBING:
            found.add(name)
            waiting += _imports(name)
    return sorted(_file(name) for name in found)


def _file(module: str) -> Path:
    path = PACKAGE / module
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Return the modules of this package that a module imports, also within functions."""
    names: list[str] = []
    for node in ast.walk(ast.parse(_file(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from taae.analysis import tables` imports a module, `from taae.fsq import FSQ` not.
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    inside = [name.removeprefix("taae.").replace(".", "/") for name in names if "taae." in name]
    return tuple(name for name in dict.fromkeys(inside) if _file(name).is_file())
