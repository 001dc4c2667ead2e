import numpy as np
import pesq as pesq_package
import pystoi
import pytest
from speechmos import dnsmos

from taae.evaluation.metrics import Failure, Status
from taae.evaluation.scoring.dnsmos import dnsmos_p808, dnsmos_p835
from taae.evaluation.scoring.pesq_stoi import cpu_time, pesq, stoi
from tests.unit.evaluation.speechlike import RATE, bursts, noisy, speech


def test_pesq_is_the_packages_reference_first():
    clean = speech(2.0)
    degraded = noisy(clean, 15)
    for mode in ("wb", "nb"):
        expected = pesq_package.pesq(RATE, clean, degraded, mode)
        swapped = pesq_package.pesq(RATE, degraded, clean, mode)
        assert pesq(clean, degraded, mode) == expected != swapped
    assert pesq(clean, clean, "wb") == pytest.approx(4.644, abs=5e-4)


def test_pesq_survives_a_segmentation_fault():
    clean = speech(1.0)
    before = pesq(clean, noisy(clean, 20), "wb")
    with pytest.raises(Failure, match="SIGSEGV") as caught:
        pesq(bursts(), bursts(), "wb")
    assert caught.value.status is Status.CRASH
    assert pesq(clean, noisy(clean, 20), "wb") == before


def test_pesq_without_speech_has_its_own_status():
    rumble = 0.5 * np.sin(2 * np.pi * 20 * np.arange(RATE) / RATE)  # below the band of speech
    with pytest.raises(Failure) as caught:
        pesq(rumble, rumble, "wb")
    assert caught.value.status is Status.NO_UTTERANCE


def test_pesq_counts_the_helpers_time():
    clean = speech(1.0)
    pesq(clean, clean, "wb")
    before = cpu_time()
    for _ in range(3):
        pesq(clean, clean, "wb")
    assert cpu_time() - before > 0.005


def test_stoi_is_the_packages_reference_first():
    clean = speech(2.0)
    degraded = noisy(clean, 5)
    assert stoi(clean, degraded, False) == pystoi.stoi(clean, degraded, RATE)
    assert stoi(clean, degraded, False) != pystoi.stoi(degraded, clean, RATE)
    expected = pystoi.stoi(clean, degraded, RATE, extended=True)
    assert stoi(clean, degraded, True) == pytest.approx(expected, abs=1e-9)
    assert stoi(clean, clean, False) == pytest.approx(1)
    assert stoi(clean, clean, True) == pytest.approx(1)


def test_estoi_is_repeatable_and_leaves_numpys_generator_alone():
    clean = speech(2.0)
    degraded = clean.copy()
    degraded[RATE:] = 0  # what ESTOI's random noise decides
    values = set()
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        before = np.random.get_state()[1].tolist()  # noqa: NPY002
        values.add(stoi(clean, degraded, True))
        assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert len(values) == 1


def test_stoi_of_too_little_speech_is_no_number():
    clean = np.zeros(2 * RATE)
    clean[:4800] = speech(0.3)
    with pytest.raises(Failure) as caught:
        stoi(clean, clean, False)
    assert caught.value.status is Status.TOO_SHORT


# Doubled five times to 7 windows; 1 window; 3 windows; 9 windows, of which speechmos drops two;
# windows on either side of those it drops, 8 and 19.
@pytest.mark.parametrize("seconds", [0.5, 5.0, 12.3, 18.2, 34.0, 45.0])
def test_dnsmos_is_that_of_speechmos(seconds):
    signal = noisy(speech(seconds, seed=3), 10).astype(np.float32)
    signal[: round(0.1 * RATE)] = 0  # below every floor
    expected = dnsmos.run(signal, RATE)
    ratings = (*dnsmos_p835(signal), dnsmos_p808(signal))
    keys = ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos")
    np.testing.assert_allclose(ratings, [expected[key] for key in keys], rtol=0, atol=1e-6)
