"""What a decoded run looks like on the disk, and the reference beside it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from taae.corpus.store import Split
from taae.files import atomic
from taae.sample_rate import SAMPLE_RATE

AUDIO, CODES, TABLE = "audio", "codes.npz", "utterances.csv"


def write_reference(corpus: Path, output: Path, split: str = "test") -> None:
    """Write the utterances of a split as FLAC files, what decoded ones are compared with."""
    data = Split.open(corpus, split)
    with atomic(output / AUDIO) as folder:
        for index, record in enumerate(data.utterances):
            write_flac(folder / f"{record.utterance}.flac", data.audio(index))


def write_flac(path: Path, audio: NDArray[np.float32]) -> str:
    """Write (samples,) in [-1, 1] as 16-bit FLAC and return the SHA-256 of the 16-bit samples."""
    samples = np.clip(np.rint(audio * 32768.0), -32768, 32767).astype("<i2")
    path.parent.mkdir(parents=True, exist_ok=True)
    file = io.BytesIO()  # libsndfile would not say that the disk is full
    soundfile.write(file, samples, SAMPLE_RATE, subtype="PCM_16", format="FLAC")
    path.write_bytes(file.getbuffer())
    return hashlib.sha256(samples.tobytes()).hexdigest()
