"""Studies of many arms, for tests and measurements of size: what a run takes, not what it finds."""

from __future__ import annotations

from typing import Any

ABLATIONS = 10


def many_arms(count: int, seeds: int) -> dict[str, Any]:
    """Return an overlay: so many arms, baseline included, which differ by their draws alone."""
    names = [f"arm-{number:04}" for number in range(1, count)]
    parts = {f"part-{number}": names[number::ABLATIONS] for number in range(ABLATIONS)}
    return {
        "seeds": list(range(1, seeds + 1)),
        "variants": {
            name: {"training": {"replicate": number}} for number, name in enumerate(names, start=1)
        },
        "ablations": {
            name: {
                "title": name,
                "varies": ["training.replicate"],
                "variants": arms,
                "primary": "stoi",
            }
            for name, arms in parts.items()
            if arms
        },
        "select": [name for name, arms in parts.items() if arms],
    }
