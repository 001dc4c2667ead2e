"""Scores that are plain signal processing: SI-SDR, Mel and STFT distance, delay. All float64."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate, correlation_lags, get_window

from taae.study import SAMPLE_RATE

Signal = NDArray[np.float64]

WINDOW = 1024  # samples, Hann; also the FFT size
MELS = 128
POWER_FLOOR = 1e-8
DAC_MELS = {2048: 150, 512: 80}  # window in samples -> bands; the hop is a quarter of the window
DAC_FLOOR = 1e-5


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
    return _distance(_floored(reference), _floored(degraded))


def mel_distance(reference: Signal, degraded: Signal) -> float:
    """Return `stft_distance` of 128-band mel magnitudes: auraloss' `MelSTFTLoss`."""
    bank = _mel_bank(WINDOW, MELS)
    return _distance(bank @ _floored(reference), bank @ _floored(degraded))


def stft_distance_dac(reference: Signal, degraded: Signal) -> float:
    """Return the sum over two windows of L1 distances of magnitudes and of their log powers.

    Signals (n,), equally long, longer than half of the longest window of 2048. The form of the
    evaluation of DAC (Kumar et al., NeurIPS 2023, `MultiScaleSTFTLoss`): base 10, magnitudes
    clamped at 1e-5 before the logarithm. Not comparable with `stft_distance`.
    """
    return sum(
        _distance_dac(_hann(reference, window), _hann(degraded, window)) for window in DAC_MELS
    )


def mel_distance_dac(reference: Signal, degraded: Signal) -> float:
    """Return `stft_distance_dac` of mel magnitudes: DAC's `MelSpectrogramLoss`."""
    total = 0.0
    for window, mels in DAC_MELS.items():
        bank = _mel_bank(window, mels)
        total += _distance_dac(bank @ _hann(reference, window), bank @ _hann(degraded, window))
    return total


def magnitudes(signal: Signal, window: Signal, hop: int) -> Signal:
    """Return STFT magnitudes (window // 2 + 1, frames): centred frames, reflected ends."""
    padded = np.pad(signal, window.size // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, window.size)[::hop]
    spectrum = np.fft.rfft(frames * window).T
    return np.sqrt(spectrum.real**2 + spectrum.imag**2)


def delay(reference: Signal, degraded: Signal) -> int:
    """Return by how many samples `degraded` lags, at the peak of |cross-correlation|.

    Signals (n,), not silent. Reported beside the scores, never corrected: one sample costs
    SI-SDR 11 dB, and a study should see that.
    """
    reference = reference - reference.mean()
    degraded = degraded - degraded.mean()
    peak = np.argmax(np.abs(correlate(degraded, reference, method="fft")))
    return int(correlation_lags(degraded.size, reference.size)[peak])


def _hann(signal: Signal, window: int) -> Signal:
    return magnitudes(signal, get_window("hann", window), window // 4)


def _floored(signal: Signal) -> Signal:
    return np.maximum(_hann(signal, WINDOW), math.sqrt(POWER_FLOOR))


def _distance(reference: Signal, degraded: Signal) -> float:
    convergence = np.linalg.norm(reference - degraded) / np.linalg.norm(reference)
    return float(convergence + np.abs(np.log(reference) - np.log(degraded)).mean())


def _distance_dac(reference: Signal, degraded: Signal) -> float:
    logs = [2 * np.log10(np.maximum(one, DAC_FLOOR)) for one in (reference, degraded)]
    return float(np.abs(logs[0] - logs[1]).mean() + np.abs(reference - degraded).mean())


@cache
def _mel_bank(window: int, mels: int) -> Signal:
    import librosa  # seconds to import, and only the mel distances need it

    bank: Signal = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=window, n_mels=mels, dtype=np.float64)
    return bank
