import math

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taae.corpus.normalise import Target, clipped_share, normalise
from taae.corpus.utterance import Label, Outcome, Rejected, Utterance

LABEL = Label("u", "s", "train", "u.wav", "")
TARGET = Target(loudness=-20.0, min_seconds=0.5)


def sine(frequency: float, rate: int, seconds: float, amplitude: float) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


def run(audio: np.ndarray, rate: int = 16_000, target: Target = TARGET) -> Outcome:
    return normalise(audio if audio.ndim == 2 else audio[:, None], rate, LABEL, target)


def accepted(outcome: Outcome) -> Utterance:
    assert isinstance(outcome, Utterance), outcome
    return outcome


def rejected(outcome: Outcome) -> str:
    assert isinstance(outcome, Rejected), outcome
    return outcome.reason


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("amplitude", [0.001, 0.1, 0.9])
def test_a_997_hz_sine_reaches_the_level_that_bs1770_defines(rate: int, amplitude: float) -> None:
    """A full-scale 997 Hz sine in one channel is -3.01 LUFS, so its RMS is at 0 dB of that."""
    utterance = accepted(run(sine(997, rate, 3, amplitude), rate))
    middle = utterance.samples[8000:-8000] / 32768
    level = 20 * math.log10(np.sqrt(np.mean(middle**2)) * math.sqrt(2)) - 3.01
    assert level == pytest.approx(-20, abs=0.1)
    assert utterance.gain_db == pytest.approx(-20 + 3.01 - 20 * math.log10(amplitude), abs=0.1)
    assert utterance.loudness == -20
    assert not utterance.peak_limited
    assert utterance.source_rate == rate


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000, 96_000])
def test_resampling_keeps_frequency_and_duration(rate: int) -> None:
    utterance = accepted(run(sine(1234, rate, 2, 0.3), rate))
    assert len(utterance.samples) == pytest.approx(32_000, abs=1)
    spectrum = np.abs(np.fft.rfft(utterance.samples * np.hanning(len(utterance.samples))))
    assert np.argmax(spectrum) * 16_000 / len(utterance.samples) == pytest.approx(1234, abs=0.5)


def test_resampling_removes_what_16_khz_cannot_hold() -> None:
    low, high = sine(997, 48_000, 2, 0.1), sine(11_000, 48_000, 2, 0.5)
    utterance = accepted(run(low + high, 48_000))
    expected = accepted(run(low, 48_000))
    difference = (utterance.samples - expected.samples)[4000:-4000].astype(int)
    assert np.abs(difference).max() <= 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(-55, -5), st.floats(-45, -15))
def test_the_stated_loudness_is_that_of_the_stored_audio(
    seed: int, level: float, target: float
) -> None:
    rng = np.random.default_rng(seed)
    bursts = np.repeat(rng.uniform(0.01, 1, 20), 1600) ** 2
    audio = rng.normal(size=32_000) * bursts
    audio *= 10 ** (level / 20) / np.abs(audio).max()
    utterance = accepted(run(audio, target=Target(target, 0.5)))
    measured = pyloudnorm.Meter(16_000).integrated_loudness(utterance.samples / 32768)
    assert measured == pytest.approx(utterance.loudness, abs=0.02)
    assert np.abs(utterance.samples).max() <= 0.99 * 32768
    if not utterance.peak_limited:
        assert utterance.loudness == pytest.approx(target)


def test_the_peak_limits_the_gain() -> None:
    audio = sine(997, 16_000, 2, 0.001)
    audio[16_000] = 0.5
    utterance = accepted(run(audio))
    assert utterance.peak_limited
    assert np.abs(utterance.samples).max() == round(0.99 * 32768)
    assert utterance.gain_db == pytest.approx(20 * math.log10(0.99 / 0.5))
    assert utterance.loudness < -21


def test_channels_are_averaged() -> None:
    tone = sine(440, 16_000, 1, 0.2)
    left = accepted(run(np.stack([tone, 0 * tone], axis=1)))
    mono = accepted(run(tone))
    assert left.gain_db == pytest.approx(mono.gain_db + 20 * math.log10(2))
    assert rejected(run(np.stack([tone, -tone], axis=1))) == "silent"


def test_what_is_rejected() -> None:
    tone = sine(440, 16_000, 1, 0.2)
    assert rejected(run(np.zeros((0, 1)))) == "empty"
    assert rejected(run(tone[:7999])) == "too_short"
    assert isinstance(run(tone[:8000]), Utterance)
    assert rejected(run(tone[:6000], target=Target(-20.0, 0.1))) == "too_short"  # under a block
    assert rejected(run(np.zeros(16_000))) == "silent"
    assert rejected(run(tone * 1e-4)) == "silent"
    for value in (np.nan, np.inf, -np.inf):
        broken = tone.copy()
        broken[77] = value
        assert rejected(run(broken)) == "nonfinite"
    assert rejected(run(np.clip(tone * 20, -1, 1))) == "clipped"


def test_share_of_clipped_samples() -> None:
    """A sine of amplitude 1/c clipped at 1 is flat for acos(c) / (pi / 2) of the time."""
    tone = sine(100, 16_000, 1, 1.0)
    share = clipped_share(np.clip(tone / 0.8, -1, 1)[:, None])
    assert share == pytest.approx(math.acos(0.8) / (math.pi / 2), abs=0.02)
    both = np.stack([0.1 * tone, np.clip(tone / 0.8, -1, 1)], axis=1)
    assert clipped_share(both) == share  # the worst channel counts


def test_what_is_not_clipped() -> None:
    tone = sine(100, 16_000, 1, 1.0)
    assert clipped_share(tone[:, None]) == 0  # touches full scale without staying there
    assert clipped_share(np.round(tone * 100)[:, None] / 32768) == 0  # quiet and coarse
    pairs = 0.1 * tone
    pairs[1000:1002] = pairs[2000:2002] = 1.0
    assert clipped_share(pairs[:, None]) == 0  # no run of three
