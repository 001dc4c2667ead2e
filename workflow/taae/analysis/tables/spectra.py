"""Spectrograms of one utterance as the variants decode it, as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from taae.codec.operating_points import NATIVE
from taae.study.study import Study
from taae.utils.errors import TaaeError
from taae.utils.files import atomic
from taae.utils.sample_rate import SAMPLE_RATE

WINDOW, HOP = 512, 64  # samples, 32 and 4 ms: harmonics of speech are resolved
RANGE = 80.0  # dB below the reference's maximum

Levels = npt.NDArray[np.float16]


def write_spectra(reference: Path, decoded: Path, study: Study, output: Path) -> None:
    """Write the spectrograms of the first test utterance, so that figures need no audio.

    Args:
        reference: folder of reference audio.
        decoded: folder that holds <variant>/seed<seed>/native/audio; the first seed is shown.
        study: names the variants.
        output: NPZ of utterance, labels (the reference first), hop (s), top (Hz) and levels,
            float16 (labels, frequencies, frames) in dB; 0 dB is the reference's maximum.
    """
    files = sorted(reference.rglob("*.flac"))
    if not files:
        raise TaaeError(f"{reference}: no FLAC file; run the reference stage")
    name = files[0].relative_to(reference)
    paths = {"reference": files[0]}
    for variant in study.variants:
        paths[variant] = decoded / variant / f"seed{study.seeds[0]}" / NATIVE / "audio" / name
    magnitudes = [_magnitudes(_read(path)) for path in paths.values()]
    peak = max(float(magnitudes[0].max()), np.finfo(np.float64).tiny)
    levels = 20 * np.log10(np.maximum(np.stack(magnitudes) / peak, 10 ** (-RANGE / 20)))
    with atomic(output) as temporary:
        np.savez_compressed(
            temporary,
            utterance=str(name.with_suffix("")),
            labels=list(paths),
            hop=HOP / SAMPLE_RATE,
            top=SAMPLE_RATE / 2,
            levels=levels.astype(np.float16),
        )


def _read(path: Path) -> npt.NDArray[np.float64]:
    try:
        samples, rate = soundfile.read(path, dtype="float64")
    except (OSError, soundfile.LibsndfileError) as error:
        raise TaaeError(f"{path}: not a readable audio file ({error})") from error
    if samples.ndim != 1 or not len(samples) or rate != SAMPLE_RATE:
        raise TaaeError(f"{path}: expected mono audio of {SAMPLE_RATE} Hz that is not empty")
    found: npt.NDArray[np.float64] = samples
    return found


def _magnitudes(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return STFT magnitudes (frequencies, frames), the first frame centred at 0 s."""
    stft = ShortTimeFFT(hann(WINDOW, sym=False), HOP, SAMPLE_RATE)
    # Short recordings are padded to what ShortTimeFFT takes at least.
    padded = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    # Without p0 the frames would begin with those centred before the recording.
    magnitudes: npt.NDArray[np.float64] = np.abs(stft.stft(padded, p0=0))
    return magnitudes
