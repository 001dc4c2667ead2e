"""Pitch and voicing, as SwiftF0 hears them in the reference and in the decoded signal."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from taae.evaluation.scoring.signal_metrics import Signal
from taae.utils.sample_rate import SAMPLE_RATE

if TYPE_CHECKING:
    from swift_f0 import SwiftF0

VOICED = 0.5  # confidence from which a frame is voiced, as SwiftF0 is calibrated
WINDOW = 2048  # samples that SwiftF0 analyses at once
CENTS = 1200  # in an octave


def pitch(reference: Signal, degraded: Signal) -> tuple[float, float]:
    """Return the RMSE of F0 in cents, and the share in percent of frames whose voicing differs.

    Signals (n,) at 16 kHz, equally long, at least `WINDOW`. Frames are 16 ms long; F0 is compared
    where both are voiced, and the RMSE is NaN where none is. Nieradzik, "SwiftF0", 2025.
    """
    detected = [_detector().detect(signal, SAMPLE_RATE) for signal in (reference, degraded)]
    voiced = [one.confidence >= VOICED for one in detected]
    differs = 100 * float(np.mean(voiced[0] != voiced[1]))
    both = voiced[0] & voiced[1]
    if not both.any():
        return float("nan"), differs
    before, after = (one.pitch_hz[both] for one in detected)
    cents = CENTS * np.log2(after / before)
    return float(np.sqrt(np.mean(cents**2))), differs


@cache
def _detector() -> SwiftF0:
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1)  # workers share the machine
