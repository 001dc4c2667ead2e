"""A low pass without delay: the anchors of a MUSHRA test, speech of a narrow band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

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
