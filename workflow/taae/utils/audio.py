"""Audio files and levels: reading any recording, 16-bit samples, resampling, loudness."""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from numpy.typing import NDArray

from taae.utils.sample_rate import SAMPLE_RATE

if TYPE_CHECKING:  # environments that only write audio have neither soxr nor pyloudnorm
    import pyloudnorm

PEAK = 0.99  # largest magnitude that a gain may lead to
BLOCK = 0.4  # s; BS.1770 measures loudness in blocks of this length
STREAMED = 2**31 - 2**16  # bytes; from here on, a WAV header from before the length was known


class RejectedError(Exception):
    """A recording cannot be used: a `reason` of `REASONS`, and in `detail` what was measured."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def read_audio(source: Path | bytes, longest: float = math.inf) -> tuple[NDArray[np.float64], int]:
    """Read an audio file, or its content: (samples, channels), full scale 1, and its rate in Hz.

    Raises:
        RejectedError: the file is empty, no audio, longer than `longest` (s), or ends too early.
    """
    try:
        if (source.stat().st_size if isinstance(source, Path) else len(source)) == 0:
            raise RejectedError("empty", "0 bytes")
        # The name as bytes, because it need not be text.
        opened = os.fsencode(source) if isinstance(source, Path) else io.BytesIO(source)
        with soundfile.SoundFile(opened) as file:
            # As its header says: no memory is taken for what a damaged one claims.
            if file.frames > longest * file.samplerate:
                seconds = file.frames / file.samplerate
                raise RejectedError("too_long", f"{seconds:.0f} s; the most is {longest:g} s")
            # libsndfile takes what is there, and notes in its log alone that a WAV file ends early.
            note = re.search(r"^data : (\d+) \(should be (\d+)\)$", file.extra_info, re.MULTILINE)
            claimed, there = (int(note[1]), int(note[2])) if note else (0, 0)
            if there < claimed < STREAMED:
                raise RejectedError("unreadable", f"ends after {there} of {claimed} bytes of audio")
            audio = file.read(dtype="float64", always_2d=True)
            if len(audio) < file.frames:
                raise RejectedError(
                    "unreadable", f"ends after {len(audio)} of {file.frames} samples"
                )
            return audio, file.samplerate
    except MemoryError as error:
        raise RejectedError("unreadable", f"too long for the memory ({error})") from error
    except (OSError, soundfile.SoundFileError) as error:
        raise RejectedError("unreadable", getattr(error, "error_string", str(error))) from error


def write_flac(path: Path, audio: NDArray[np.float32]) -> str:
    """Write (samples,) in [-1, 1] as 16-bit FLAC and return the SHA-256 of the 16-bit samples."""
    samples = to_int16(audio)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = io.BytesIO()  # libsndfile would not say that the disk is full
    soundfile.write(file, samples, SAMPLE_RATE, subtype="PCM_16", format="FLAC")
    path.write_bytes(file.getbuffer())
    return hashlib.sha256(samples.tobytes()).hexdigest()


def to_int16(audio: NDArray[np.floating]) -> NDArray[np.int16]:
    """Return samples in [-1, 1) as little-endian 16-bit integers, rounded; louder ones clip."""
    samples: NDArray[np.int16] = np.clip(np.rint(audio * 32768), -32768, 32767).astype("<i2")
    return samples


def from_int16(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return 16-bit samples as floats in [-1, 1)."""
    return samples.astype(np.float32) / np.float32(32768)


def to_mono(audio: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Average the channels of (samples, channels) at `rate` Hz, resample to 16 kHz (soxr, HQ)."""
    import soxr

    return soxr.resample(audio.mean(axis=1), rate, SAMPLE_RATE)  # type: ignore[no-any-return]


def loudness_gain(mono: NDArray[np.float64], target: float) -> tuple[float, float]:
    """Return the gain that brings 16 kHz audio to `target` LUFS, and the loudness it reaches.

    The loudness is below the target where a peak of 0.99 limits the gain. It is measured again
    after the first gain, because the absolute gate of BS.1770 at -70 LUFS then lets other blocks
    pass.

    Raises:
        RejectedError: no block is above the gate.
    """
    gain = 1.0
    for _ in range(2):
        loudness = float(_meter().integrated_loudness(mono * gain))
        if not math.isfinite(loudness):
            raise RejectedError("silent", "its loudness is below -70 LUFS")
        gain *= 10 ** ((target - loudness) / 20)
    highest = PEAK / float(np.abs(mono).max())
    if gain > highest:
        return highest, target + decibel(highest / gain)
    return gain, target


def decibel(gain: float) -> float:
    """Return an amplitude ratio in dB."""
    return 20 * math.log10(gain)


@cache
def _meter() -> pyloudnorm.Meter:
    import pyloudnorm

    return pyloudnorm.Meter(SAMPLE_RATE, block_size=BLOCK)
