"""Values that were computed before, by the content of their signals: only new ones are computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from taae.evaluation.scoring.signal_metrics import Signal
from taae.utils.files import write_text
from taae.utils.fingerprint import sources
from taae.utils.log import log

# Of an utterance: digest of its signals -> what else a value depends on -> (value, CPU seconds);
# a value may be the text that a recogniser hears.
Known = dict[str, dict[str, tuple[float | str, float]]]


def digest(reference: Signal, degraded: Signal) -> str:
    """Return the SHA-256 of a pair of signals, and of the code that scores them."""
    content = [reference.tobytes(), degraded.tobytes(), b"%d" % reference.size, _code()]
    return hashlib.sha256(b"".join(content)).hexdigest()


def value_id(row: Mapping[str, Any]) -> str:
    """Return what a value depends on beside the signals: metric, settings, library version."""
    return f"{row['metric']} {row['settings']} {row['version']}"


def read_cache(path: Path) -> dict[str, Known]:
    """Return utterance -> what is known of it; nothing where there is no readable cache."""
    try:
        return TypeAdapter(dict[str, Known]).validate_python(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log(f"{path}: not a readable cache ({error!r}); everything is computed anew")
        return {}


def write_cache(known: Mapping[str, Known], path: Path) -> None:
    """Write what `read_cache` reads, atomically."""
    write_text(json.dumps(known, allow_nan=False), path)


@cache
def _code() -> bytes:
    """Return the SHA-256 of what computes scores: an edit of a metric must not go unseen."""
    files = sources("evaluation/scoring/score")
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()
