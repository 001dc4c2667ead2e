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


def write_spectra(results: Path, study: Study) -> None:
    """Write tables/spectra.npz, so that figures need no audio.

    Shown is the first test utterance, and as each variant with the first seed decodes it. The file
    holds utterance, labels (the reference first), hop (s), top (Hz) and levels, float16 (labels,
    frequencies, frames) in dB; 0 dB is the reference's maximum.
    """
    reference = results / "reference" / "audio"
    files = sorted(reference.rglob("*.flac"))
    if not files:
        raise TaaeError(f"{reference}: no FLAC file; run the reference stage")
    name = files[0].relative_to(reference)
    paths = {"reference": files[0]}
    for variant in study.variants:
        run = results / "decoded" / variant / f"seed{study.seeds[0]}" / NATIVE
        paths[variant] = run / "audio" / name
    magnitudes = [_magnitudes(path) for path in paths.values()]
    peak = max(float(magnitudes[0].max()), np.finfo(np.float64).tiny)
    levels = 20 * np.log10(np.maximum(np.stack(magnitudes) / peak, 10 ** (-RANGE / 20)))
    with atomic(results / "tables" / "spectra.npz") as temporary:
        np.savez_compressed(
            temporary,
            utterance=str(name.with_suffix("")),
            labels=list(paths),
            hop=HOP / SAMPLE_RATE,
            top=SAMPLE_RATE / 2,
            levels=levels.astype(np.float16),
        )


def _magnitudes(path: Path) -> npt.NDArray[np.float64]:
    """Return STFT magnitudes (frequencies, frames) of a file, the first frame centred at 0 s."""
    try:
        samples, _ = soundfile.read(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise TaaeError(f"{path}: not a readable audio file ({error})") from error
    stft = ShortTimeFFT(hann(WINDOW, sym=False), HOP, SAMPLE_RATE)
    # Without p0 the frames would begin with those centred before the recording.
    magnitudes: npt.NDArray[np.float64] = np.abs(stft.stft(samples, p0=0))
    return magnitudes
