"""The signals of a test beside decoded ones: low-pass anchors, and all at one loudness."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from taae.utils.audio import RejectedError, loudness_gain
from taae.utils.sample_rate import SAMPLE_RATE

Audio = NDArray[np.float64]

TRANSITION = 500.0  # Hz; BS.1534 asks for 25 dB at 4 kHz of the anchor of 3.5 kHz
ATTENUATION = 60.0  # dB, which is a ripple of 0.01 dB below


def low_pass(audio: Audio, edge: float) -> Audio:
    """Return (samples,) without what lies more than 500 Hz above `edge` (Hz); no delay.

    The anchors of ITU-R BS.1534-3: flat within 0.1 dB up to the edge.
    """
    taps, beta = signal.kaiserord(ATTENUATION, TRANSITION / (SAMPLE_RATE / 2))
    middle = edge + TRANSITION / 2
    response = signal.firwin(taps | 1, middle, window=("kaiser", beta), fs=SAMPLE_RATE)
    filtered: Audio = signal.oaconvolve(audio, response, mode="full")
    late = len(response) // 2
    return filtered[late : late + len(audio)]


def at_one_loudness(signals: Mapping[str, Audio], target: float) -> dict[str, NDArray[np.float32]]:
    """Bring signals to `target` LUFS, or to the most that all of them reach without clipping.

    A silent signal stays as it is.
    """
    gains = {}
    for name, audio in signals.items():
        try:
            gains[name] = loudness_gain(audio, target)
        except RejectedError:
            gains[name] = (1.0, target)
    reached = min(loudness for _, loudness in gains.values())
    return {
        name: (audio * gains[name][0] * 10 ** ((reached - gains[name][1]) / 20)).astype(np.float32)
        for name, audio in signals.items()
    }
