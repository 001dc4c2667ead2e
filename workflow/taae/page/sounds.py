"""The sounds of the page as files: exact, or small."""

from __future__ import annotations

import io

import numpy as np
import soundfile

from taae.page.loudness import Audio
from taae.utils.errors import TaaeError
from taae.utils.sample_rate import SAMPLE_RATE

# Hosts that do not know .opus send .ogg as audio.
ENDINGS = {"wav": "wav", "opus": "ogg"}
# kbit/s; docs/study.md says what it changes.
OPUS_BITRATE = 96


def encode(samples: Audio, kind: str) -> memoryview:
    """Return 16 kHz samples (n,) as a file of 16-bit WAV (`wav`) or of Ogg Opus (`opus`).

    Both decode to n samples, none of them late.

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
    return file.getbuffer()
