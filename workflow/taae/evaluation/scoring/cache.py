"""Values that were computed before, by the content of their signals: only new ones are computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from taae.evaluation.scoring.signal_metrics import Signal
from taae.utils.files import write_text
from taae.utils.log import log


@dataclass(frozen=True)
class Entry:
    """An utterance: the digest of its signals, and (value, CPU seconds) by `value_id`."""

    content: str
    values: dict[str, tuple[float, float]] = field(default_factory=dict)


def digest(reference: Signal, degraded: Signal) -> str:
    """Return the SHA-256 of a pair of signals."""
    found = hashlib.sha256(reference.tobytes())
    found.update(degraded.tobytes())
    found.update(b"%d" % reference.size)
    return found.hexdigest()


def value_id(row: Mapping[str, Any]) -> str:
    """Return what a value depends on beside the signals: metric, settings, library version."""
    return f"{row['metric']} {row['settings']} {row['version']}"


def read_cache(path: Path) -> dict[str, Entry]:
    """Return utterance -> entry; empty unless the cache was written by the same code."""
    try:
        stored = json.loads(path.read_bytes())
        if stored["code"] != _code():
            return {}
        return {name: _entry(stored) for name, stored in stored["utterances"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log(f"{path}: not a readable cache ({error!r}); everything is computed anew")
        return {}


def _entry(stored: dict[str, Any]) -> Entry:
    pairs = stored["values"].items()
    values = {name: (float(value), float(cpu_s)) for name, (value, cpu_s) in pairs}
    return Entry(str(stored["content"]), values)


def write_cache(entries: Mapping[str, Entry], path: Path) -> None:
    """Write utterance -> entry atomically."""
    utterances = {
        name: {"content": entry.content, "values": entry.values} for name, entry in entries.items()
    }
    write_text(json.dumps({"code": _code(), "utterances": utterances}, allow_nan=False), path)


@cache
def _code() -> str:
    """Return the SHA-256 of this package's source: an edit of a metric must not go unseen."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
