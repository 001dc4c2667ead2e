"""Values as text and as a digest, which are equal where the values are."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any


def canonical(value: Any) -> str:
    """Return a dataclass or JSON value as compact JSON with sorted keys: equal means equal."""
    plain = value if isinstance(value, (dict, list)) else asdict(value)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(*values: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `values`, as 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(canonical(value) for value in values).encode()).hexdigest()
