"""Files of sounds: no sample late, none too many."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from scipy.signal import correlate

from taae.page.sounds import OPUS_BITRATE, encode
from taae.utils.errors import TaaeError
from taae.utils.sample_rate import SAMPLE_RATE
from tests.unit.page.pages import speechlike


def decoded(file: memoryview) -> np.ndarray:
    samples, rate = soundfile.read(io.BytesIO(file))
    assert rate == SAMPLE_RATE
    return samples


def test_wav_is_exact() -> None:
    samples = np.array([0, 1, -1, 12345, -32768]) / 32768
    assert decoded(encode(samples, "wav")).tolist() == samples.tolist()


@pytest.mark.parametrize("count", [1, 319, 320, 321, 16000, 112001])
def test_opus_begins_and_ends_with_the_sound(count: int) -> None:
    samples = speechlike(1, count / SAMPLE_RATE)
    found = decoded(encode(samples, "opus"))
    assert found.size == count
    if count >= SAMPLE_RATE:
        assert correlate(found, samples).argmax() == count - 1  # no shift
        noise = ((found - samples) ** 2).sum()
        assert 10 * np.log10((samples**2).sum() / noise) > 15  # white noise is the hardest


def test_opus_has_the_bit_rate_that_the_page_tells() -> None:
    size = len(encode(speechlike(1, 10), "opus"))
    assert size * 8 / 10 / 1000 == pytest.approx(OPUS_BITRATE, rel=0.1)


def test_opus_is_the_same_file_each_time() -> None:
    samples = speechlike(1, 3)
    first, second = encode(samples, "opus"), encode(samples, "opus")
    assert first == second
    changed = bytearray(first)
    changed[-1] ^= 1
    assert decoded(memoryview(changed)).size < decoded(first).size  # checksums are read


def test_without_opus_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfile, "check_format", lambda *_: False)
    with pytest.raises(TaaeError, match=r"page\.sounds: libsndfile .* cannot write opus here; giv"):
        encode(np.zeros(160), "opus")
