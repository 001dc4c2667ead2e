"""Altered speech measured from outside: SNR, spectrum, reverberation time, gain, determinism."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from taae.corpus.alter import altered, impulse_response
from taae.corpus.config import Alteration

RATE = 16_000
SPEECH = (
    np.random.default_rng(0).normal(0, 0.05, 3 * RATE) * np.repeat(np.arange(30) % 3, RATE // 10)
).astype(np.float32)
OTHERS = [np.random.default_rng(n).normal(0, 0.1, 9000 + n).astype(np.float32) for n in range(9)]


@settings(max_examples=12, deadline=None)
@given(
    snr=st.floats(-10, 60),
    noise=st.sampled_from(["white", "pink", "babble"]),
    key=st.text(max_size=9),
)
def test_the_noise_has_the_asked_ratio_over_the_utterance(snr: float, noise: str, key: str) -> None:
    got = altered(SPEECH, Alteration(noise_db=snr, noise=noise), key, OTHERS)
    added = got.astype(float) - SPEECH
    measured = 10 * np.log10((SPEECH.astype(float) ** 2).sum() / (added**2).sum())
    assert measured == pytest.approx(snr, abs=0.01)


def test_the_noises_have_their_spectra() -> None:
    """White has the same level in every octave's hertz, pink 3 dB less per octave."""
    long = np.ones(20 * RATE, np.float32)
    for noise, slope in (("white", 0.0), ("pink", -3.01)):
        added = altered(long, Alteration(noise_db=0, noise=noise), "u") - long
        hertz, power = signal.welch(added, RATE, nperseg=4096)
        octaves = [
            10 * np.log10(power[(hertz >= low) & (hertz < 2 * low)].mean())
            for low in (250, 500, 1000, 2000, 4000)
        ]
        assert np.diff(octaves) == pytest.approx([slope] * 4, abs=0.5)


def test_babble_is_made_of_the_others() -> None:
    """Other utterances that are one tone each leave these tones in the noise, and nothing else."""
    time = np.arange(RATE) / RATE
    tones = [np.sin(2 * np.pi * hertz * time).astype(np.float32) for hertz in range(500, 1100, 100)]
    got = altered(SPEECH[:RATE], Alteration(noise_db=0, noise="babble"), "u", tones)
    spectrum = np.abs(np.fft.rfft(got - SPEECH[:RATE]))
    assert sorted(np.argsort(spectrum)[-6:]) == [500, 600, 700, 800, 900, 1000]
    assert np.sort(spectrum)[-6:] == pytest.approx(spectrum.max(), rel=1e-4)  # equally loud
    with pytest.raises(ValueError, match="babble needs other utterances"):
        altered(SPEECH, Alteration(noise_db=0, noise="babble"), "u")


@pytest.mark.parametrize("band", [2000.0, 4000.0, 8000.0])
def test_nothing_is_left_above_the_band_and_nothing_changes_below(band: float) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 10 * RATE).astype(np.float32)
    hertz, before = signal.welch(noise, RATE, nperseg=4096)
    _, after = signal.welch(altered(noise, Alteration(band_hz=band), "u"), RATE, nperseg=4096)
    gain = 10 * np.log10(after / before)
    assert np.abs(gain[hertz <= band - 520]).max() < 0.1
    assert gain[hertz >= band + 20].max(initial=-99) < -50


@pytest.mark.parametrize("seconds", [0.3, 0.8])
def test_the_room_has_the_asked_reverberation_time(seconds: float) -> None:
    """RT60 from the Schroeder integral between -5 and -25 dB (T20 of ISO 3382)."""
    click = np.zeros(2 * RATE, np.float32)
    click[0] = 1.0
    heard = altered(click, Alteration(reverb_seconds=seconds), "u").astype(float)
    assert np.abs(heard).argmax() == 0  # the direct sound is not late
    left = np.cumsum(heard[::-1] ** 2)[::-1]
    level = 10 * np.log10(left / left[0] + 1e-30)
    part = np.flatnonzero((level < -5) & (level > -25))
    slope, _ = np.polyfit(part / RATE, level[part], 1)
    assert -60 / slope == pytest.approx(seconds, rel=0.1)
    response = impulse_response(seconds, np.random.default_rng(3))
    assert (response[1:] ** 2).sum() == pytest.approx(response[0] ** 2)


def test_a_room_keeps_the_level_and_the_time() -> None:
    wet = altered(SPEECH, Alteration(reverb_seconds=0.5), "u").astype(float)
    assert wet.shape == SPEECH.shape
    assert np.linalg.norm(wet) == pytest.approx(np.linalg.norm(SPEECH), rel=1e-5)
    lags = signal.correlate(wet, SPEECH.astype(float), method="fft")
    assert lags.argmax() == SPEECH.size - 1


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(-60, 20))
def test_the_gain_is_exact_and_nothing_is_clipped(gain: float) -> None:
    got = altered(SPEECH, Alteration(gain_db=gain), "u")
    assert got.dtype == np.float32
    assert np.allclose(got, SPEECH.astype(float) * 10 ** (gain / 20), rtol=1e-6, atol=0)


def test_the_gain_comes_last() -> None:
    one = Alteration(noise_db=10, noise="pink", band_hz=4000, reverb_seconds=0.4)
    louder = Alteration(6.0, noise_db=10, noise="pink", band_hz=4000, reverb_seconds=0.4)
    got = altered(SPEECH, louder, "u"), altered(SPEECH, one, "u") * np.float32(10**0.3)
    assert np.allclose(*got, rtol=1e-5, atol=1e-7)


def test_what_is_drawn_depends_on_the_seed_and_the_name_alone() -> None:
    noisy = Alteration(noise_db=10)
    assert (altered(SPEECH, noisy, "a") == altered(SPEECH, noisy, "a")).all()
    assert (altered(SPEECH, noisy, "a") != altered(SPEECH, noisy, "b")).any()
    assert (
        altered(SPEECH, noisy, "a") != altered(SPEECH, Alteration(noise_db=10, seed=2), "a")
    ).any()
    assert (altered(SPEECH, Alteration(), "a") == SPEECH).all()


def test_silence_stays_silence() -> None:
    silence = np.zeros(RATE, np.float32)
    everything = Alteration(6.0, noise_db=10, band_hz=4000, reverb_seconds=0.4)
    assert (altered(silence, everything, "u") == 0).all()
