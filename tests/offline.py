"""Whether a folder that opens from a disk stays there: what its pages could ask the network for."""

from __future__ import annotations

import re
from pathlib import Path

NETWORK = re.compile(
    r"""https?:|wss?://|["'(=]\s*//\w|\bfetch\(|@import|XMLHttpRequest|WebSocket|sendBeacon"""
    r"""|EventSource|importScripts|\bimport\("""
)


def network(folder: Path) -> dict[str, str]:
    """Return the first request in each page, script and style at any depth that has one."""
    found = {
        str(path.relative_to(folder)): NETWORK.search(path.read_text(encoding="utf-8"))
        for path in folder.rglob("*")
        if path.suffix in (".html", ".js", ".css")
    }
    assert any(name.endswith(".js") for name in found)
    return {name: match[0] for name, match in found.items() if match}
