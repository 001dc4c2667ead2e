"""The sounds of the page as files: exact, or small."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import soundfile

from taae.page.loudness import Audio
from taae.utils.errors import TaaeError
from taae.utils.sample_rate import SAMPLE_RATE

# Hosts that do not know .opus send .ogg as audio.
ENDINGS = {"wav": "wav", "opus": "ogg"}
# kbit/s; docs/study.md says what it changes.
OPUS_BITRATE = 96
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def encode(samples: Audio, kind: str) -> memoryview:
    """Return 16 kHz samples (n,) as a file of 16-bit WAV (`wav`) or of Ogg Opus (`opus`).

    Both decode to n samples, none of them late, and are the same bytes each time.

    Raises:
        TaaeError: libsndfile was built without Opus.
    """
    file = io.BytesIO()  # libsndfile would not say that the disk is full
    if kind == "wav":
        soundfile.write(file, samples.astype(np.float32), SAMPLE_RATE, "PCM_16", format="WAV")
        return file.getbuffer()
    if not soundfile.check_format("OGG", "OPUS"):
        raise TaaeError(
            f"page.sounds: libsndfile {soundfile.__libsndfile_version__} cannot write opus here;"
            " give wav"
        )
    # libsndfile maps its levels 0 to 1 to 256 to 6 kbit/s.
    level = (256 - OPUS_BITRATE) / 250
    soundfile.write(
        file,
        samples.astype(np.float32),
        SAMPLE_RATE,
        "OPUS",
        format="OGG",
        compression_level=level,
    )
    pages = file.getbuffer()
    _number_stream(pages)
    return pages


def _number_stream(pages: memoryview) -> None:
    """Give the stream in an Ogg file the number 1 (RFC 3533, section 6).

    libsndfile draws one by the clock: the same sound would be another file each time.
    """
    start = 0
    while start < len(pages):
        segments = pages[start + 27 : start + 27 + pages[start + 26]]
        end = start + 27 + len(segments) + sum(segments)
        struct.pack_into("<I", pages, start + 14, 1)
        struct.pack_into("<I", pages, start + 22, 0)
        struct.pack_into("<I", pages, start + 22, _checksum(pages[start:end]))
        start = end


def _checksum(page: memoryview) -> int:
    """Return the checksum of an Ogg page: zlib's polynomial, with the bits in the other order."""
    reversed_bits = zlib.crc32(bytes(page).translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reversed_bits:032b}"[::-1], 2)
