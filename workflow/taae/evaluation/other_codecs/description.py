"""codec.json, the description of another codec that was run, and a table of them. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taae.utils.errors import TaaeError

if TYPE_CHECKING:
    import pandas as pd

ABOUT = "codec.json"
OK, NOT_INSTALLED = "ok", "not installed"
COLUMNS = [
    *["name", "kind", "status", "bitrate", "rate_hz", "resampling", "delay_samples"],
    *["version", "message"],
]


def read_about(path: Path) -> dict[str, Any]:
    """Read a codec.json; see `taae.evaluation.other_codecs.run.run_other_codec`."""
    try:
        about: dict[str, Any] = json.loads(path.read_bytes())
        if about["status"] not in (OK, NOT_INSTALLED):
            raise ValueError(f"status {about['status']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TaaeError(f"{path}: no description of a codec ({error})") from error
    return about


def codec_table(paths: Iterable[Path]) -> pd.DataFrame:
    """Return a row per codec.json; `bitrate` in bit/s is measured, `delay_samples` at 16 kHz."""
    import pandas as pd

    return pd.DataFrame([read_about(path) for path in paths], columns=COLUMNS)
