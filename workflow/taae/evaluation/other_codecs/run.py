"""Another codec over a split: audio, a table of utterances, and a file that says what it was."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from taae.corpus.store import Split
from taae.evaluation.decoded import AUDIO, TABLE
from taae.evaluation.other_codecs.codec import QUALITY, Audio, Codec
from taae.evaluation.other_codecs.config import OtherCodec
from taae.evaluation.other_codecs.description import ABOUT, NOT_INSTALLED, OK
from taae.evaluation.other_codecs.neural import NeuralCodec
from taae.evaluation.other_codecs.programs import Codec2, Opus
from taae.utils.audio import write_flac
from taae.utils.errors import NotInstalled, TaaeError
from taae.utils.files import atomic, write_csv, write_json
from taae.utils.log import log, progress
from taae.utils.sample_rate import SAMPLE_RATE

RESAMPLING = f"soxr {version('soxr')} {QUALITY}"
SLACK = 640  # samples: Codec2 fills its last frame of 40 ms, resampling rounds
COLUMNS = ["utterance", "samples", "frames", "clipped", "sha256", "bits"]


def run_other_codec(
    name: str, settings: OtherCodec, corpus: Path, output: Path, split: str = "test"
) -> None:
    """Encode and decode every utterance of a split with another codec.

    Writes to `output`:
        audio/<utterance>.flac: 16 kHz, 16 bit, exactly as long as its reference;
        utterances.csv: `COLUMNS`, as of `decode_split`, and the measured bits;
        codec.json: name, kind, status (ok or not installed), message, bitrate (bit/s, measured over
            the split), rate_hz (the codec's own), resampling (to it and back), delay_samples
            (compensated, at 16 kHz) and version.

    A codec that is not installed leaves no audio, a table of no rows, and a file that says so.

    Raises:
        TaaeError: it is installed and fails, has no such operating point, or gives audio of
            another length.
    """
    data = Split.open(corpus, split)
    about: dict[str, Any] = {"name": name, "kind": settings.kind, "status": OK, "message": ""}
    rows: list[dict[str, Any]] = []
    with atomic(output / AUDIO) as folder:
        folder.mkdir()
        try:
            codec = load(settings)
        except NotInstalled as error:
            log(f"{name} is not installed: {error}")
            about |= {"status": NOT_INSTALLED, "message": str(error)}
        else:
            rows = _code(codec, data, folder, name)
            seconds = sum(row["samples"] for row in rows) / SAMPLE_RATE
            about |= {
                "bitrate": sum(row["bits"] for row in rows) / seconds,
                "rate_hz": codec.rate,
                "resampling": "none" if codec.rate == SAMPLE_RATE else RESAMPLING,
                "delay_samples": codec.delay,
                "version": codec.version,
            }
    write_csv(pd.DataFrame(rows, columns=COLUMNS), output / TABLE)
    write_json(about, output / ABOUT)


def _code(codec: Codec, data: Split, folder: Path, name: str) -> list[dict[str, Any]]:
    rows = []
    records = progress(data.utterances, len(data.utterances), name)
    for index, record in enumerate(records):
        try:
            coded = codec(data.audio(index))
        except TaaeError as error:
            raise TaaeError(f"{record.utterance}: {error}") from error
        if abs(coded.audio.size - record.samples) > SLACK:
            raise TaaeError(
                f"{record.utterance}: {name} gives {coded.audio.size} samples for {record.samples};"
                f" up to {SLACK} more or less would be cut or filled with zeros"
            )
        audio = fit(coded.audio, record.samples)
        rows.append(
            {
                "utterance": record.utterance,
                "samples": record.samples,
                "frames": coded.frames,
                "clipped": int((np.abs(audio) > 1).sum()),
                "sha256": write_flac(folder / f"{record.utterance}.flac", audio),
                "bits": coded.bits,
            }
        )
    return rows


def load(settings: OtherCodec) -> Codec:
    """Return a codec ready to use, or raise `NotInstalled`."""
    if settings.kind in ("opus", "codec2"):
        assert settings.bitrate is not None
        return Opus(settings.bitrate) if settings.kind == "opus" else Codec2(settings.bitrate)
    return NeuralCodec(settings)


def fit(audio: Audio, samples: int) -> Audio:
    """Cut or pad with zeros to (samples,)."""
    fitted = np.zeros(samples, np.float32)
    fitted[: audio.size] = audio[:samples]
    return fitted
