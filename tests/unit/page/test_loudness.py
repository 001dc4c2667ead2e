"""One loudness for all that is compared; the oracle is pyloudnorm itself."""

from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest

from taae.page.loudness import MOST, gains
from taae.utils.sample_rate import SAMPLE_RATE
from tests.unit.page.pages import speechlike


def loudness(audio: np.ndarray) -> float:
    return float(pyloudnorm.Meter(SAMPLE_RATE, block_size=0.4).integrated_loudness(audio))


def peaky() -> np.ndarray:
    """Return a sound whose peak allows it no more than a little gain."""
    audio = speechlike(2, 3.0)
    audio[5000] = 0.9
    return audio


def test_all_reach_the_target() -> None:
    sounds = {"a": speechlike(1, 3.0), "b": 0.3 * speechlike(2, 3.0), "c": 2 * speechlike(3, 3.0)}
    found = gains(sounds, -30.0)
    for name, audio in sounds.items():
        assert loudness(audio * 10 ** (found[name] / 20)) == pytest.approx(-30.0, abs=0.05)


def test_a_peak_lowers_all_alike() -> None:
    sounds = {"plain": speechlike(1, 3.0), "peaky": peaky()}
    target = loudness(peaky()) + 3
    found = gains(sounds, target)
    levels = {name: loudness(audio * 10 ** (found[name] / 20)) for name, audio in sounds.items()}
    assert levels["plain"] == pytest.approx(levels["peaky"], abs=0.05)
    assert target - 3 <= levels["plain"] < target - 1
    assert all(np.abs(a).max() * 10 ** (found[n] / 20) <= 0.9901 for n, a in sounds.items())


def test_one_bad_arm_does_not_silence_the_others() -> None:
    sounds = {"plain": speechlike(1, 3.0), "click": 0.01 * peaky() / 3, "silence": np.zeros(48000)}
    sounds["click"][5000] = 0.95
    found = gains(sounds, -20.0)
    plain = loudness(sounds["plain"] * 10 ** (found["plain"] / 20))
    assert plain == pytest.approx(-20.0 - MOST, abs=0.05)
    assert found["silence"] == 0.0
