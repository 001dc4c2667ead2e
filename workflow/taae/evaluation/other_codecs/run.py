"""Another codec over the test split: audio, a table of utterances, and what the codec was."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
import soxr

from taae.corpus.store import Split
from taae.evaluation.decoded_files import (
    ABOUT,
    COLUMNS,
    NOT_INSTALLED,
    OK,
    Audio,
    Coded,
    fit,
    without_delay,
    write_decoded,
)
from taae.evaluation.other_codecs.config import OtherCodec
from taae.evaluation.other_codecs.interface import Codec
from taae.evaluation.other_codecs.kinds import load
from taae.evaluation.other_codecs.lag import Lag
from taae.utils.errors import NotInstalled, TaaeError
from taae.utils.files import write_json
from taae.utils.log import log, progress
from taae.utils.sample_rate import SAMPLE_RATE

QUALITY = "VHQ"  # of soxr, to a codec's rate and back
SLACK = 640  # samples: Codec2 fills its last frame of 40 ms, resampling rounds


def run_other_codec(name: str, settings: OtherCodec, corpus: Path, output: Path) -> None:
    """Encode and decode every test utterance with another codec.

    Writes to `output` what `write_decoded` does, with the bits, and codec.json: name, kind, status
    (ok or not installed), message, bitrate (bit/s, measured over the split or as declared), rate_hz
    (the codec's own), resampling (to it and back), delay_samples (compensated, at 16 kHz: the
    median of the utterances), lag_samples (what is left of it by the waveforms; see `Lag`),
    other_lags (number of utterances with another one) and version. A codec that is not installed
    leaves no audio, a table of no rows, and a codec.json that says so. An utterance of which a
    codec has no audio has no file and no row.

    Raises:
        TaaeError: it is installed and fails, has no such operating point, gives audio of another
            length, or NaN.
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
    late = _late(codec, data, name) if settings.align else 0
    delays: list[float] = []
    lag = Lag()
    table = write_decoded(_coded(codec, data, name, late, delays, lag), output, columns)
    left, others = lag.samples(), lag.others()
    if left:
        side = "late" if left > 0 else "early"
        log(f"{name}: decoded speech is {abs(left)} samples {side}, which costs waveform scores")
    if others:
        log(f"{name}: {others} of {len(table)} utterances have another delay than the others")
    if len(table) < len(data.utterances):
        log(f"{name}: no audio of {len(data.utterances) - len(table)} utterances")
    measured = float(table["bits"].sum() / (table["samples"].sum() / SAMPLE_RATE))
    known = {
        "status": OK,
        "message": "",
        "bitrate": measured if codec.bitrate is None else codec.bitrate,
        "rate_hz": codec.rate,
        "resampling": "none" if codec.rate == SAMPLE_RATE else f"soxr {version('soxr')} {QUALITY}",
        "delay_samples": round(median(delays), 3),
        "lag_samples": left,
        "other_lags": others,
        "version": codec.version,
    }
    write_json(about | known, output / ABOUT)


def code(codec: Codec, audio: Audio, utterance: str) -> Coded | None:
    """Return (n,) at 16 kHz as the codec decodes it, in time: about (n,) at 16 kHz."""
    coded = codec(soxr.resample(audio, SAMPLE_RATE, codec.rate, quality=QUALITY), utterance)
    if coded is None:
        return None
    if not np.isfinite(coded.audio).all():
        raise TaaeError("NaN or infinity among the decoded samples")
    back = soxr.resample(coded.audio, codec.rate, SAMPLE_RATE, quality=QUALITY)
    return coded._replace(audio=back, delay=coded.delay * SAMPLE_RATE / codec.rate)


def _late(codec: Codec, data: Split, name: str) -> int:
    """Return how late all utterances are, to be taken out."""
    lag = Lag()
    for _, reference, coded in _each(codec, data, name):
        lag.add(reference, coded.audio)
    late = lag.samples()
    if late is None:
        raise TaaeError(
            f"{name}: align: no delay can be found: the waveforms are too unlike the references'"
        )
    return late


def _coded(
    codec: Codec, data: Split, name: str, late: int, delays: list[float], lag: Lag
) -> Iterator[tuple[str, Coded]]:
    """Yield what is written of each utterance; fill `delays` and `lag`."""
    for utterance, reference, coded in _each(codec, data, name):
        # A delay may have made it longer or shorter, or else moved its end out of it.
        least, most = min(0, late) - SLACK, max(0, late) + max(0, -coded.delay) + SLACK
        if not least <= coded.audio.size - reference.size <= most:
            raise TaaeError(
                f"{utterance}: {name} gives {coded.audio.size} samples for {reference.size};"
                f" up to {SLACK} more or less would be cut or filled with zeros"
            )
        audio = fit(without_delay(coded.audio, late), reference.size)
        delays.append(coded.delay + late)
        lag.add(reference, audio)
        yield utterance, coded._replace(audio=audio)
    if not delays:
        raise TaaeError(
            f"{name}: no audio of any test utterance; their names are such as"
            f" {data.utterances[0].utterance}"
        )


def _each(codec: Codec, data: Split, name: str) -> Iterator[tuple[str, Audio, Coded]]:
    """Yield each utterance that the codec has audio of: its name, itself and what is decoded."""
    for index, record in enumerate(progress(data.utterances, len(data.utterances), name)):
        reference = data.audio(index)
        try:
            coded = code(codec, reference, record.utterance)
        except TaaeError as error:
            raise TaaeError(f"{record.utterance}: {error}") from error
        if coded is not None:
            yield record.utterance, reference, coded
