"""The files of decoded speech, whatever codec it went through, and of its reference."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from taae.corpus.store import Split
from taae.utils.audio import write_flac
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, write_csv

Audio = NDArray[np.float32]

AUDIO, CODES, TABLE, ABOUT = "audio", "codes.npz", "utterances.csv", "codec.json"
COLUMNS = ["utterance", "samples", "frames", "clipped", "sha256"]
OK, NOT_INSTALLED = "ok", "not installed"  # status of another codec


class Coded(NamedTuple):
    """An utterance (samples,) that went through a codec, and what its code takes."""

    audio: Audio
    frames: int | None  # none where another codec does not tell
    bits: int = 0  # of other codecs alone, as is
    delay: float = 0.0  # in samples, that was taken out


def fit(audio: Audio, samples: int) -> Audio:
    """Cut or pad with zeros to (samples,)."""
    return np.pad(audio[:samples], (0, max(0, samples - audio.size)))


def without_delay(audio: Audio, delay: int) -> Audio:
    """Return (n - delay,): without the first samples, or after as many zeros where it is early."""
    return np.pad(audio, (max(0, -delay), 0))[max(0, delay) :]


def write_decoded(
    utterances: Iterable[tuple[str, Coded]], output: Path, columns: list[str] = COLUMNS
) -> pd.DataFrame:
    """Write utterances, by name, as they come, each as long as its reference; return their table.

    Writes to `output`:
        audio/<utterance>.flac: 16 kHz, 16 bit;
        utterances.csv: `columns`, where `clipped` counts the samples beyond +-1 that were clipped,
            and `sha256` is of the 16-bit samples.
    """
    rows = []
    with atomic(output / AUDIO) as folder:
        folder.mkdir()
        for utterance, (audio, frames, bits, _) in utterances:
            rows.append(
                {
                    "utterance": utterance,
                    "samples": audio.size,
                    "frames": frames,
                    "clipped": int((np.abs(audio) > 1).sum()),
                    "sha256": write_flac(folder / f"{utterance}.flac", audio),
                    "bits": bits,
                }
            )
    table = pd.DataFrame(rows, columns=columns)
    write_csv(table, output / TABLE)
    return table


def write_reference(corpus: Path, output: Path, tested: Path | None = None) -> None:
    """Write the test utterances of a corpus as FLAC files, to compare decoded ones with.

    Args:
        corpus: its folder.
        output: folder for audio/.
        tested: folder of the corpus that is decoded, where it is another one: what is not in its
            test split has no reference.
    """
    data = Split.open(corpus, "test")
    wanted = {record.utterance for record in Split.open(tested or corpus, "test").utterances}
    with atomic(output / AUDIO) as folder:
        for index, record in enumerate(data.utterances):
            if record.utterance in wanted:
                write_flac(folder / f"{record.utterance}.flac", data.audio(index))


def read_about(path: Path) -> dict[str, Any]:
    """Read the description of another codec; see `taae.evaluation.other_codecs.run`."""
    try:
        about: dict[str, Any] = json.loads(path.read_bytes())
        if about["status"] not in (OK, NOT_INSTALLED):
            raise ValueError(f"status {about['status']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TaaeError(f"{path}: no description of a codec ({error})") from error
    return about


def codec_table(paths: Iterable[Path]) -> pd.DataFrame:
    """Return a row per codec.json; `bitrate` in bit/s is measured, `delay_samples` at 16 kHz."""
    columns = ["name", "kind", "status", "bitrate", "rate_hz", "resampling"]
    columns += ["delay_samples", "lag_samples", "other_lags", "version", "message"]
    return pd.DataFrame([read_about(path) for path in paths], columns=columns)
