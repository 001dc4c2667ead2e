"""What a codec makes of silence. No metric is defined there, so levels are measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

from taae.evaluation.decode import Halves
from taae.evaluation.decoded_files import Audio
from taae.evaluation.robustness.channel import draws
from taae.evaluation.robustness.trials import as_file
from taae.utils.sample_rate import SAMPLE_RATE

SECONDS = 4.0
NOTHING = -120.0  # dBFS that stand for digital silence, which has no level
QUIET = -60.0  # dBFS of the noise
COLUMNS = ["input_dbfs", "output_dbfs", "peak_dbfs"]


def silence_levels(codec: Halves, seed: int) -> pd.DataFrame:
    """Return `COLUMNS` for digital silence and for quiet white noise: RMS levels, and the peak's.

    0 dBFS is an RMS, or a peak, of 1; what is below -120 dBFS is given as -120.
    """
    noise = draws(seed, "silence", "").standard_normal(round(SECONDS * SAMPLE_RATE))
    rows = []
    for level in (NOTHING, QUIET):
        gain = 0.0 if level == NOTHING else 10 ** (level / 20)
        given = as_file((gain * noise).astype(np.float32))
        decoded = codec.decode(codec.encode(given), given.size)
        peak = dbfs(float(np.abs(decoded).max()))
        rows.append((level, dbfs(rms(decoded)), peak))
    return pd.DataFrame(rows, columns=COLUMNS)


def rms(audio: Audio) -> float:
    """Return the root mean square of (samples,)."""
    return float(np.sqrt(np.mean(audio.astype(np.float64) ** 2)))


def dbfs(value: float) -> float:
    """Return an amplitude in dB, at least -120."""
    return max(NOTHING, 20 * float(np.log10(max(value, 1e-30))))
