"""Captions of figures and tables: the texts of workflow/report, as HTML."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

REPORT = Path(__file__).parents[2] / "report"


def caption(name: str, config: dict[str, Any], folder: Path = REPORT) -> Markup:
    """Return a caption; empty where the package is installed without the workflow."""
    path = folder / f"{name}.rst"
    if not path.is_file():
        return Markup()
    text = Environment(autoescape=False).from_string(path.read_text(encoding="utf-8"))
    written = str(escape(text.render(snakemake=SimpleNamespace(config=config))))
    return Markup(re.sub(r"``(.+?)``", r"<code>\1</code>", written).replace("\\@", "@"))
