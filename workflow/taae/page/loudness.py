"""One loudness for all that is compared: of two sounds, the louder one is liked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from taae.utils.audio import RejectedError, decibel, loudness_gain

Audio = NDArray[np.float64]
MOST = 6.0  # dB that all are lowered by for those whose peaks limit their gain


def gains(sounds: Mapping[str, Audio], target: float) -> dict[str, float]:
    """Return the gain in dB that brings each 16 kHz sound to `target` LUFS (ITU-R BS.1770-4).

    Where a peak would pass full scale, all are lowered alike, by 6 dB at most; what is too quiet
    even so stays so. Silence keeps its level.
    """
    found, reached = {}, {}
    for name, audio in sounds.items():
        try:
            gain, reached[name] = loudness_gain(audio, target)
        except RejectedError:
            continue
        found[name] = decibel(gain)
    common = max(min(reached.values(), default=target), target - MOST)
    lowered = {name: gain + min(0.0, common - reached[name]) for name, gain in found.items()}
    return {name: lowered.get(name, 0.0) for name in sounds}
