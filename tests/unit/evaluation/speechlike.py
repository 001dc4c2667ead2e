"""A stand-in for speech: a gliding harmonic voice through formants, in syllables with pauses."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

RATE = 16_000


def speech(seconds: float, seed: int = 0) -> NDArray[np.float64]:
    """Return a signal of `seconds` at 16 kHz with a peak of 0.5."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.9 * time + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 40))
    voice = voice + 0.05 * rng.normal(size=time.size)
    for formant, width in ((500, 80), (1500, 120), (2500, 160)):
        pole = np.exp(-np.pi * width / RATE)
        angle = 2 * np.pi * formant / RATE
        voice = voice + lfilter([1 - pole], [1, -2 * pole * np.cos(angle), pole**2], voice)
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * time) + 0.6, 0.0, None)
    signal = voice * syllables
    return 0.5 * signal / np.abs(signal).max()


def noisy(signal: NDArray[np.float64], decibels: float, seed: int = 1) -> NDArray[np.float64]:
    """Return the signal with white noise at a signal-to-noise ratio in dB."""
    noise = np.random.default_rng(seed).normal(size=signal.size)
    scale = np.sqrt((signal @ signal) / (noise @ noise) / 10 ** (decibels / 10))
    return signal + scale * noise


def bursts() -> NDArray[np.float64]:
    """Return 33 s of 60 bursts, which overrun PESQ's table of 50 utterances: it dies."""
    signal = np.zeros((60, round(0.55 * RATE)))
    noise = np.random.default_rng(0).normal(size=(60, round(0.3 * RATE)))
    signal[:, : noise.shape[1]] = 0.1 * noise
    return signal.ravel()
