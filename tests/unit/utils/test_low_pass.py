"""A low pass has no energy above its edge, and its output is not late."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from taae.utils.low_pass import low_pass

RATE = 16_000


@pytest.mark.parametrize("edge", [3500.0, 7000.0])
def test_a_low_pass_is_flat_up_to_its_edge_and_empty_beyond(edge: float) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 60 * RATE)
    hertz, before = signal.welch(noise, RATE, nperseg=4096)
    _, after = signal.welch(low_pass(noise, edge), RATE, nperseg=4096)
    gain = 10 * np.log10(after / before)
    assert np.abs(gain[hertz <= edge - 20]).max() < 0.1
    assert gain[hertz >= edge + 500].max() < -50  # BS.1534: -25 dB there, -50 dB another 500 Hz on


def test_a_low_pass_is_not_late_and_as_long_as_its_reference() -> None:
    click = np.zeros(1001)
    click[400] = 0.5
    heard = low_pass(click, 3500.0)
    assert heard.shape == click.shape
    assert np.abs(heard).argmax() == 400
