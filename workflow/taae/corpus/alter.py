"""Altered speech: as in a room, of a narrow band, in noise, louder or softer.

No alteration delays the speech, so that altered and unaltered speech can be compared by sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from taae.corpus.config import Alteration
from taae.utils.low_pass import TRANSITION, low_pass
from taae.utils.sample_rate import SAMPLE_RATE

Audio = NDArray[np.float32]
Samples = NDArray[np.float64]
AnyAudio = NDArray[Any]

TALKERS = 6  # of babble: with more it tends to stationary noise, with fewer to words
ROOM, NOISE = range(2)  # draws of their own, so that a room does not change the noise in it


def altered(
    audio: Audio, alteration: Alteration, key: str, others: Sequence[AnyAudio] = ()
) -> Audio:
    """Return an utterance altered: reverberation, then the band, then noise, then gain.

    It is as long as before and not clipped: samples may be beyond +-1.

    Args:
        audio: (samples,) at 16 kHz, full scale 1.
        alteration: what is done; its seed and `key` determine all that is drawn.
        key: name of the utterance, with the name of the set where sets are made of each other: one
            key and seed give one noise, which would add up with itself.
        others: other utterances at any scale, for babble; those of other speakers are best.

    Raises:
        ValueError: babble without other utterances.
    """
    samples = audio.astype(np.float64)
    if alteration.reverb_seconds is not None:
        samples = _reverberated(samples, alteration.reverb_seconds, _draws(alteration, key, ROOM))
    if alteration.band_hz is not None:
        samples = low_pass(samples, alteration.band_hz - TRANSITION)
    if alteration.noise_db is not None:
        noise = _noise(alteration.noise, samples.size, _draws(alteration, key, NOISE), others)
        samples += _at_level(noise, _level(samples) * _amplitude(-alteration.noise_db))
    return (samples * _amplitude(alteration.gain_db)).astype(np.float32)


def impulse_response(seconds: float, draws: np.random.Generator) -> Samples:
    """Return the response (samples,) of a room with a reverberation time (RT60) in s.

    The direct sound is sample 0. The tail is white noise under an exponential decay (Polack's
    model), cut at -60 dB, with as much energy as the direct sound: the distance at which this is so
    is the critical distance of the room.
    """
    length = max(2, round(seconds * SAMPLE_RATE))
    response = draws.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    response[0] = 0.0
    response /= np.linalg.norm(response)
    response[0] = 1.0
    return response


def _draws(alteration: Alteration, key: str, purpose: int) -> np.random.Generator:
    name = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
    return np.random.default_rng([alteration.seed, purpose, name])


def _reverberated(samples: Samples, seconds: float, draws: np.random.Generator) -> Samples:
    """Return (samples,) in a room, at the level that they had."""
    wet: Samples = signal.oaconvolve(samples, impulse_response(seconds, draws))[: samples.size]
    return _at_level(wet, _level(samples))


def _noise(
    kind: str, length: int, draws: np.random.Generator, others: Sequence[AnyAudio]
) -> Samples:
    """Return noise (length,) at any level."""
    if kind == "babble":
        return _babble(length, draws, others)
    white = draws.standard_normal(length)
    if kind == "white":
        return white
    spectrum = np.fft.rfft(white)
    spectrum[1:] /= np.sqrt(np.arange(1, spectrum.size))
    spectrum[0] = 0.0
    pink: Samples = np.fft.irfft(spectrum, length)
    return pink


def _babble(length: int, draws: np.random.Generator, others: Sequence[AnyAudio]) -> Samples:
    """Return several of the other utterances at once, equally loud, each from some moment on."""
    if not len(others):
        raise ValueError("babble needs other utterances")
    mixture = np.zeros(length)
    for index in draws.choice(len(others), min(TALKERS, len(others)), replace=False):
        talker = others[index].astype(np.float64)
        start = draws.integers(talker.size)
        mixture += np.resize(_at_level(np.roll(talker, -start), 1.0), length)
    return mixture


def _level(samples: Samples) -> float:
    """Return the root mean square of (samples,)."""
    return float(np.sqrt(np.mean(samples**2)))


def _at_level(samples: Samples, level: float) -> Samples:
    """Return (samples,) at a level; silence stays silence."""
    return samples * (level / (_level(samples) or 1.0))


def _amplitude(decibels: float) -> float:
    return float(10 ** (decibels / 20))
