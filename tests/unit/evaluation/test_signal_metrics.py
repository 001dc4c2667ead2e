import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taae.evaluation.scoring.signal_metrics import (
    delay,
    distances,
    distances_dac,
    mel_bank,
    si_sdr,
)
from tests.unit.evaluation.speechlike import noisy, speech


def test_si_sdr_of_orthogonal_noise_is_its_level():
    time = np.arange(16_000) / 16_000
    reference = np.sin(2 * np.pi * 200 * time)
    for level in (0.1, 0.5, 2.0):
        noise = level * np.cos(2 * np.pi * 300 * time)
        assert si_sdr(reference, reference + noise) == pytest.approx(-20 * np.log10(level))


@settings(max_examples=30, deadline=None)
@given(
    gain=st.floats(0.01, 100), sign=st.sampled_from([-1, 1]), offset=st.floats(-10, 10),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_si_sdr_ignores_gain_and_offset(gain, sign, offset, seed):
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=400)
    degraded = reference + rng.normal(size=400)
    expected = si_sdr(reference, degraded)
    assert si_sdr(reference, sign * gain * degraded + offset) == pytest.approx(expected, abs=1e-6)
    assert si_sdr(sign * gain * reference + offset, degraded) == pytest.approx(expected, abs=1e-6)


def test_si_sdr_at_its_ends():
    click = np.array([1.0, -1.0])
    reference, degraded = np.concatenate([click, 0 * click]), np.concatenate([0 * click, click])
    assert si_sdr(reference, reference) == np.inf
    assert si_sdr(reference, degraded) == -np.inf
    with np.errstate(invalid="ignore"):
        assert np.isnan(si_sdr(reference, 0 * reference))


@pytest.mark.parametrize("gain", [1, 0.3, -0.7, 100])
@pytest.mark.parametrize("offset", [0, 0.01, -0.5])
def test_si_sdr_of_gain_and_offset_alone_is_infinite(gain, offset):
    assert si_sdr(speech(10), gain * speech(10) + offset) == np.inf


def test_si_sdr_of_the_rounding_of_float32_is_finite():
    signal = speech(3)
    assert si_sdr(signal, signal.astype(np.float32).astype(np.float64)) == pytest.approx(151, abs=5)


def test_distances_of_half_the_signal_in_closed_form():
    noise = np.random.default_rng(0).normal(size=16_000)
    assert distances(noise, 0.5 * noise) == pytest.approx([0.5 + np.log(2)] * 2, rel=1e-9)
    assert distances(noise, 2.0 * noise) == pytest.approx([1.0 + np.log(2)] * 2, rel=1e-9)
    assert distances(noise, noise) == (0, 0)


def test_distances_match_their_definition_in_torch():
    reference = speech(1.3)
    degraded = noisy(reference, 10)

    def magnitude(signal):
        spectrum = torch.stft(
            torch.from_numpy(signal), 1024, 256, 1024,
            torch.hann_window(1024, dtype=torch.float64), return_complex=True,
        )  # fmt: skip
        return torch.sqrt(torch.clamp(spectrum.real**2 + spectrum.imag**2, min=1e-8))

    def distance(one, other):
        convergence = torch.norm(one - other) / torch.norm(one)
        return (convergence + torch.nn.functional.l1_loss(one.log(), other.log())).item()

    bank = torch.from_numpy(librosa.filters.mel(sr=16_000, n_fft=1024, n_mels=128)).double()
    one, other = magnitude(reference), magnitude(degraded)
    mel, linear = distances(reference, degraded)
    assert linear == pytest.approx(distance(one, other), rel=1e-9)
    # librosa's own matrix is float32
    assert mel == pytest.approx(distance(bank @ one, bank @ other), rel=1e-6)
    assert distances(degraded, reference) != pytest.approx((mel, linear), rel=1e-3)


@pytest.mark.parametrize("lag", [0, 1, 37, -250])
def test_delay(lag):
    signal = speech(1.5)
    reference, degraded = signal[1000:17_000], signal[1000 - lag : 17_000 - lag]
    assert delay(reference, degraded) == lag
    assert delay(reference, -0.3 * degraded) == lag


def test_dac_distances_match_their_definition_in_torch():
    reference = speech(1.3)
    degraded = noisy(reference, 10)
    degraded[4000:9000] = 0  # the clamp works

    def distance(one, other):
        logs = [torch.log10(torch.clamp(x, min=1e-5).pow(2)) for x in (one, other)]
        l1 = torch.nn.functional.l1_loss
        return float(l1(*logs) + l1(one, other))

    linear = mel = 0.0
    for window, bands in ((2048, 150), (512, 80)):
        one, other = (
            torch.stft(
                torch.from_numpy(signal), window, window // 4, window,
                torch.hann_window(window, dtype=torch.float64), return_complex=True,
            ).abs()
            for signal in (reference, degraded)
        )  # fmt: skip
        bank = librosa.filters.mel(sr=16_000, n_fft=window, n_mels=bands, dtype=np.float64)
        linear += distance(one, other)
        mel += distance(*(torch.from_numpy(bank) @ x for x in (one, other)))
    assert distances_dac(reference, degraded) == pytest.approx((mel, linear), rel=1e-9)


def test_dac_distances_of_a_gain_in_closed_form():
    """Far above the clamp a gain of 10 is 2 in log power, at both windows; the rest is linear."""
    noise = 1e3 * np.random.default_rng(0).normal(size=16_000)
    assert distances_dac(noise, noise) == (0, 0)
    up, down = (np.array(distances_dac(noise, gain * noise)) - 2 * 2 for gain in (10.0, 0.1))
    assert up == pytest.approx(10 * down, rel=1e-6)


@pytest.mark.parametrize(("window", "bands"), [(1024, 128), (2048, 150), (512, 80), (321, 120)])
def test_mel_bands_are_librosas(window, bands):
    expected = librosa.filters.mel(sr=16_000, n_fft=window, n_mels=bands, dtype=np.float64)
    np.testing.assert_allclose(mel_bank(window, bands), expected, rtol=1e-9, atol=1e-15)
