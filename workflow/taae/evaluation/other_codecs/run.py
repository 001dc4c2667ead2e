"""Another codec over the test split: audio, a table of utterances, and what the codec was."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median

import soxr

from taae.corpus.store import Split
from taae.evaluation.config import OtherCodec
from taae.evaluation.decoded_files import (
    ABOUT,
    COLUMNS,
    NOT_INSTALLED,
    OK,
    Audio,
    Coded,
    fit,
    write_decoded,
)
from taae.evaluation.other_codecs.neural import NeuralCodec
from taae.evaluation.other_codecs.programs import Codec2, Opus
from taae.utils.errors import NotInstalled, TaaeError
from taae.utils.files import write_json
from taae.utils.log import log, progress
from taae.utils.sample_rate import SAMPLE_RATE

# Each has the `rate` (Hz) it works at and its `version`.
Codec = Opus | Codec2 | NeuralCodec

QUALITY = "VHQ"  # of soxr, to a codec's rate and back
SLACK = 640  # samples: Codec2 fills its last frame of 40 ms, resampling rounds


def run_other_codec(name: str, settings: OtherCodec, corpus: Path, output: Path) -> None:
    """Encode and decode every test utterance with another codec.

    Writes to `output` what `write_decoded` does, with the measured bits, and codec.json: name,
    kind, status (ok or not installed), message, bitrate (bit/s, measured over the split), rate_hz
    (the codec's own), resampling (to it and back), delay_samples (compensated, at 16 kHz: the
    median of the utterances) and version. A codec that is not installed leaves no audio, a table of
    no rows, and a codec.json that says so.

    Raises:
        TaaeError: it is installed and fails, has no such operating point, or gives audio of
            another length.
    """
    data = Split.open(corpus, "test")
    columns = [*COLUMNS, "bits"]
    about = {"name": name, "kind": settings.kind}
    try:
        codec = load(settings)
    except NotInstalled as error:
        log(f"{name} is not installed: {error}")
        write_decoded([], output, columns)
        write_json(about | {"status": NOT_INSTALLED, "message": str(error)}, output / ABOUT)
        return
    delays: list[float] = []
    table = write_decoded(_coded(codec, data, name, delays), output, columns)
    measured = {
        "status": OK,
        "message": "",
        "bitrate": float(table["bits"].sum() / (table["samples"].sum() / SAMPLE_RATE)),
        "rate_hz": codec.rate,
        "resampling": "none" if codec.rate == SAMPLE_RATE else f"soxr {version('soxr')} {QUALITY}",
        "delay_samples": round(median(delays), 3),
        "version": codec.version,
    }
    write_json(about | measured, output / ABOUT)


def load(settings: OtherCodec) -> Codec:
    """Return a codec ready to use, or raise `NotInstalled`."""
    if settings.kind in ("opus", "codec2"):
        assert settings.bitrate is not None
        return Opus(settings.bitrate) if settings.kind == "opus" else Codec2(settings.bitrate)
    return NeuralCodec(settings)


def code(codec: Codec, audio: Audio) -> Coded:
    """Return (n,) at 16 kHz as the codec decodes it, in time: about (n,) at 16 kHz."""
    coded = codec(soxr.resample(audio, SAMPLE_RATE, codec.rate, quality=QUALITY))
    back = soxr.resample(coded.audio, codec.rate, SAMPLE_RATE, quality=QUALITY)
    return coded._replace(audio=back, delay=coded.delay * SAMPLE_RATE / codec.rate)


def _coded(
    codec: Codec, data: Split, name: str, delays: list[float]
) -> Iterator[tuple[str, Coded]]:
    for index, record in enumerate(progress(data.utterances, len(data.utterances), name)):
        try:
            coded = code(codec, data.audio(index))
        except TaaeError as error:
            raise TaaeError(f"{record.utterance}: {error}") from error
        if abs(coded.audio.size - record.samples) > SLACK:
            raise TaaeError(
                f"{record.utterance}: {name} gives {coded.audio.size} samples for {record.samples};"
                f" up to {SLACK} more or less would be cut or filled with zeros"
            )
        delays.append(coded.delay)
        yield record.utterance, coded._replace(audio=fit(coded.audio, record.samples))
