"""tables/summary.md as parts of an HTML page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from taae.utils.errors import TaaeError


@dataclass(frozen=True)
class Summary:
    """The summary: what stands over it, its cells, and what stands below."""

    caption: Markup
    header: list[Markup]
    rows: list[list[Markup]]
    notes: list[Markup]


def read_summary(path: Path) -> Summary:
    """Read the one table of a Markdown file and the paragraphs around it."""
    try:
        parts = path.read_text(encoding="utf-8").strip().split("\n\n")
    except OSError as error:
        raise TaaeError(f"{path}: cannot be read ({error.strerror})") from error
    places = [number for number, part in enumerate(parts) if part.startswith("|")]
    if len(places) != 1:
        raise TaaeError(f"{path}: not the summary of a study; run `taae table scores`")
    header, _, *rows = [
        [_html(cell) for cell in line.strip("|").split("|")]
        for line in parts[places[0]].splitlines()
    ]
    before, after = parts[: places[0]], parts[places[0] + 1 :]
    return Summary(_html(" ".join(before)), header, rows, [_html(part) for part in after])


def _html(text: str) -> Markup:
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text.strip()))))
