"""Spectrograms as small pictures: a column each 10 ms, a row per mel band, the highest on top."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from taae.utils.mel import mel_bank
from taae.utils.sample_rate import SAMPLE_RATE

WINDOW, HOP, FFT = 400, 160, 1024  # samples: 25 ms each 10 ms, padded so that no band is empty
BANDS = 96
RANGE = 70.0  # dB below the loudest of the recording
SHADES = 64  # steps of 1.1 dB that nobody sees, in two thirds of the room of 256


def log_mel(audio: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (bands, frames) of (samples,) in dB."""
    stft = ShortTimeFFT(hann(WINDOW, sym=False), HOP, SAMPLE_RATE, mfft=FFT)
    power = mel_bank(FFT, BANDS) @ stft.spectrogram(audio, p0=0)
    levels: NDArray[np.float64] = 10 * np.log10(np.maximum(power, 1e-20))
    return levels


def draw(levels: NDArray[np.float64], loudest: float, path: Path) -> None:
    """Write `log_mel` levels as a PNG with the palette of the figures; white is `loudest` (dB)."""
    shades = np.clip((levels[::-1] - loudest) / RANGE + 1, 0, 1) * (SHADES - 1)
    picture = Image.fromarray(np.rint(shades).astype(np.uint8), mode="P")
    colours = mpl.colormaps["magma"](np.linspace(0, 1, SHADES), bytes=True)[:, :3]
    picture.putpalette(colours.tobytes())
    picture.save(path, optimize=False, compress_level=6)
