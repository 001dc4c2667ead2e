"""Scores that are plain signal processing: SI-SDR, Mel and STFT distance, delay. All float64."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate, correlation_lags, get_window

from taae.study import SAMPLE_RATE

Signal = NDArray[np.float64]

WINDOW = 1024  # samples, Hann; also the FFT size
HOP = 256
MELS = 128
POWER_FLOOR = 1e-8


def si_sdr(reference: Signal, degraded: Signal) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB, means removed.

    Signals (n,), equally long. +inf where `degraded` is the reference but for gain and offset,
    -inf where nothing of the reference is in it. Le Roux et al., "SDR - half-baked or well
    done?", ICASSP 2019.
    """
    reference = reference - reference.mean()
    degraded = degraded - degraded.mean()
    target = (degraded @ reference) / (reference @ reference) * reference
    error = degraded - target
    with np.errstate(divide="ignore"):
        return float(10 * np.log10((target @ target) / (error @ error)))


def stft_distance(reference: Signal, degraded: Signal) -> float:
    """Return spectral convergence plus the mean difference of natural log magnitudes.

    Signals (n,), equally long, at least one window of 1024. The form of auraloss' `STFTLoss`
    (Steinmetz & Reiss, DMRN+15, 2020) with one resolution, 1024/256/1024.
    """
    return _distance(magnitudes(reference), magnitudes(degraded))


def mel_distance(reference: Signal, degraded: Signal) -> float:
    """Return `stft_distance` of 128-band mel magnitudes: auraloss' `MelSTFTLoss`."""
    bank = _mel_bank()
    return _distance(bank @ magnitudes(reference), bank @ magnitudes(degraded))


def magnitudes(signal: Signal) -> Signal:
    """Return STFT magnitudes (513, frames) with centred frames and reflected ends."""
    padded = np.pad(signal, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum = np.fft.rfft(frames * get_window("hann", WINDOW)).T
    return np.sqrt(np.maximum(spectrum.real**2 + spectrum.imag**2, POWER_FLOOR))


def delay(reference: Signal, degraded: Signal) -> int:
    """Return by how many samples `degraded` lags, at the peak of |cross-correlation|.

    Signals (n,), not silent. Reported beside the scores, never corrected: one sample costs
    SI-SDR 11 dB, and a study should see that.
    """
    reference = reference - reference.mean()
    degraded = degraded - degraded.mean()
    peak = np.argmax(np.abs(correlate(degraded, reference, method="fft")))
    return int(correlation_lags(degraded.size, reference.size)[peak])


def _distance(reference: Signal, degraded: Signal) -> float:
    convergence = np.linalg.norm(reference - degraded) / np.linalg.norm(reference)
    return float(convergence + np.abs(np.log(reference) - np.log(degraded)).mean())


@cache
def _mel_bank() -> Signal:
    import librosa  # seconds to import, and only this metric needs it

    bank: Signal = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=WINDOW, n_mels=MELS, dtype=np.float64)
    return bank
