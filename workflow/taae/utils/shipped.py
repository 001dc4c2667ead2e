"""Paths of files that come with the project, wherever a study lies. No torch."""

from __future__ import annotations

from pathlib import Path

SHIPPED = "{workflow}"  # in a path: the folder workflow/ of this repository
WORKFLOW = str(Path(__file__).parents[2])


def shipped(path: str) -> str:
    """Return a path of the config with `{workflow}` filled in."""
    return path.replace(SHIPPED, WORKFLOW)
