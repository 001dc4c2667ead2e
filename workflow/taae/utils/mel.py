"""Filters of the mel scale, for metrics and for the training objective."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from taae.utils.sample_rate import SAMPLE_RATE

Array = NDArray[np.float64]

LINEAR_HZ = 200 / 3  # per mel, below 1 kHz: Slaney's scale
BREAK_HZ, BREAK_MEL = 1000.0, 15.0
LOG_STEP = np.log(6.4) / 27  # per mel, above


@cache
def mel_bank(window: int, bands: int) -> Array:
    """Return triangles of equal area (bands, window // 2 + 1) over the bins of an FFT.

    Slaney's scale and scaling (Auditory Toolbox, 1998), from 0 Hz to half of the sampling rate:
    the default of `librosa.filters.mel`, whose import takes a second in every process.
    """
    bins = np.fft.rfftfreq(window, 1 / SAMPLE_RATE)
    top = BREAK_MEL + np.log(SAMPLE_RATE / 2 / BREAK_HZ) / LOG_STEP
    edges = _hertz(np.linspace(0.0, top, bands + 2))
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles: Array = np.maximum(0.0, np.minimum(rising, falling))
    return triangles * (2 / (edges[2:] - edges[:-2]))[:, None]


def _hertz(mel: Array) -> Array:
    above = BREAK_HZ * np.exp(LOG_STEP * (mel - BREAK_MEL))
    return np.where(mel < BREAK_MEL, LINEAR_HZ * mel, above)
