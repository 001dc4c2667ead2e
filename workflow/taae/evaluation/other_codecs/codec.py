"""What every other codec gives for an utterance, and how it says that it is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
QUALITY = "VHQ"  # of soxr, to a codec's rate and back


@dataclass(frozen=True)
class Coded:
    """An utterance decoded (about n,) at 16 kHz, delay removed, and what its code costs."""

    audio: Audio
    bits: int
    frames: int


class Codec(Protocol):
    """Another codec: `rate` in Hz it works at, `delay` in samples at 16 kHz that it compensates."""

    rate: int
    delay: int
    version: str

    def __call__(self, audio: Audio) -> Coded:
        """Encode and decode (n,) at 16 kHz."""
