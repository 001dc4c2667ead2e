"""Which outputs of a chain depend on an input: the definition, from what each output sees."""

from __future__ import annotations

from collections.abc import Sequence

from taae.codec.complexity import receptive_span
from taae.codec.layer_geometry import LayerGeometry


def reached(chain: Sequence[LayerGeometry], place: int, outputs: int) -> tuple[int, int]:
    """Return the first and last of so many outputs that see the input `place`."""
    spans = (receptive_span(chain, (output, output)) for output in range(outputs))
    found = [output for output, (first, last) in enumerate(spans) if first <= place <= last]
    return found[0], found[-1]
