"""Scores by plain signal processing, in float64: SI-SDR, Mel and STFT distance, delay."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from taae.utils.mel import mel_bank

Signal = NDArray[np.float64]

WINDOW = 1024  # samples, Hann; also the FFT size
MELS = 128
POWER_FLOOR = 1e-8
DAC_MELS = {2048: 150, 512: 80}  # window in samples -> bands; the hop is a quarter of the window
DAC_FLOOR = 1e-5
# Energy of the error over the target's, -240 dB. Gain and offset in float64 leave less, 1e-27 or so
# at equal levels; only an offset of hundreds of times the signal's peak leaves more.
ROUNDING = 1e-24


def si_sdr(reference: Signal, degraded: Signal) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB, means removed.

    Signals (n,), equally long. +inf where `degraded` equals the reference up to gain, offset and
    rounding in float64 (`ROUNDING`), -inf where it holds nothing of the reference, NaN for a zero
    signal. Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019.
    """
    reference = reference - reference.mean()
    degraded = degraded - degraded.mean()
    target = (degraded @ reference) / (reference @ reference) * reference
    error = degraded - target
    if error @ error < ROUNDING * (target @ target):  # less, so that 0/0 stays NaN
        return math.inf
    with np.errstate(divide="ignore"):
        return float(10 * np.log10((target @ target) / (error @ error)))


def distances(reference: Signal, degraded: Signal) -> tuple[float, float]:
    """Return the Mel and the STFT distance.

    Each is spectral convergence plus the mean difference of natural log magnitudes; the Mel
    distance compares 128 bands. Signals (n,), equally long, at least one window of 1024. The
    forms of auraloss' `MelSTFTLoss` and `STFTLoss` (Steinmetz & Reiss, DMRN+15, 2020) with one
    resolution, 1024/256/1024.
    """
    spectra = [
        np.maximum(_hann(one, WINDOW), math.sqrt(POWER_FLOOR)) for one in (reference, degraded)
    ]
    bank = mel_bank(WINDOW, MELS)
    return _distance(*(bank @ spectrum for spectrum in spectra)), _distance(*spectra)


def distances_dac(reference: Signal, degraded: Signal) -> tuple[float, float]:
    """Return the Mel and the STFT distance in the form of DAC's evaluation.

    Each is the sum over two windows of L1 distances of magnitudes and of their log powers (Kumar
    et al., NeurIPS 2023, `MelSpectrogramLoss` and `MultiScaleSTFTLoss`): base 10, magnitudes
    clamped at 1e-5 before the logarithm. Signals (n,), equally long, longer than half of the
    longest window of 2048. Not comparable with `distances`.
    """
    mel = linear = 0.0
    for window, bands in DAC_MELS.items():
        spectra = [_hann(one, window) for one in (reference, degraded)]
        bank = mel_bank(window, bands)
        mel += _distance_dac(*(bank @ spectrum for spectrum in spectra))
        linear += _distance_dac(*spectra)
    return mel, linear


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
    from scipy import fft  # here and not above, so that workers alone take the time to import it

    size = fft.next_fast_len(reference.size + degraded.size - 1, real=True)
    spectra = [fft.rfft(one - one.mean(), size) for one in (degraded, reference)]
    correlation = fft.irfft(spectra[0] * spectra[1].conj(), size)
    peak = int(np.argmax(np.abs(correlation)))
    return peak if peak < degraded.size else peak - size


def _hann(signal: Signal, window: int) -> Signal:
    return magnitudes(signal, np.hanning(window + 1)[:-1], window // 4)


def _distance(reference: Signal, degraded: Signal) -> float:
    convergence = np.linalg.norm(reference - degraded) / np.linalg.norm(reference)
    return float(convergence + np.abs(np.log(reference) - np.log(degraded)).mean())


def _distance_dac(reference: Signal, degraded: Signal) -> float:
    logs = [2 * np.log10(np.maximum(one, DAC_FLOOR)) for one in (reference, degraded)]
    return float(np.abs(logs[0] - logs[1]).mean() + np.abs(reference - degraded).mean())
