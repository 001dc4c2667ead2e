"""Pairs of audio files: found by name, read, checked and brought to one length."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile

from taae.evaluation.metrics import Failure, Status
from taae.evaluation.scoring.signal_metrics import Signal, delay
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv
from taae.utils.log import log
from taae.utils.sample_rate import SAMPLE_RATE

T = TypeVar("T")

COUNTS = ["n_ref", "n_deg", "n_trimmed", "lag_samples", "n_clipped"]
SUFFIXES = {".flac", ".wav", ".ogg", ".mp3"}
UNKNOWN = "unknown"  # speaker
QUIET = 2.0**-15  # one step of 16-bit audio


@dataclass(frozen=True)
class Pair:
    """An utterance: its reference and its decoded file, None where that is missing."""

    utterance: str
    speaker: str
    reference: Path
    decoded: Path | None


@dataclass(frozen=True)
class Signals:
    """A pair's samples (n,), equally long, and what was counted on the way to them (`COUNTS`).

    A `problem` leaves every metric of the pair without a value; there are no samples then.
    """

    reference: Signal
    degraded: Signal
    counts: dict[str, int]
    problem: Failure | None = None


def read_speakers(manifest: Path) -> dict[str, str]:
    """Return utterance -> speaker from a CSV with these columns.

    Raises:
        TaaeError: a row lacks one of them, or an utterance has two speakers.
    """
    columns = ["utterance", "speaker"]
    table = read_csv(manifest, columns, columns)[columns].drop_duplicates()
    gaps = table.index[table.isna().any(axis="columns")]
    if len(gaps):
        raise TaaeError(f"{manifest}: line {gaps[0] + 2}: no utterance or no speaker")
    several = table["utterance"][table["utterance"].duplicated()]
    if len(several):
        raise TaaeError(f"{manifest}: utterance '{several.iloc[0]}' has two speakers")
    return dict(table.itertuples(index=False, name=None))


def read_transcripts(manifest: Path) -> dict[str, str]:
    """Return utterance -> what is said, as far as a CSV has the columns utterance and text."""
    columns = ["utterance", "text"]
    table = read_csv(manifest, columns[:1], columns)
    if "text" not in table:
        return {}
    return dict(table.loc[table["text"].fillna("") != "", columns].itertuples(False, name=None))


def find_pairs(reference: Path, decoded: Path | None, speakers: Mapping[str, str]) -> list[Pair]:
    """Pair the audio files of two folders by relative name without extension, sorted by it.

    `speakers` maps utterances to speakers; without an entry the speaker is the name of the folder
    that the reference lies in, or `UNKNOWN` at the top. Without `decoded` nothing is decoded.

    Raises:
        TaaeError: a folder is missing, a name is there twice, or the folders share no name.
    """
    references = dict(sorted(_audio_files(reference).items()))
    decodeds = respelled(_audio_files(decoded), references) if decoded else {}
    if decoded and not references.keys() & decodeds.keys():
        raise TaaeError(
            f"{decoded}: none of its {len(decodeds)} audio files has the name of one of the"
            f" {len(references)} in {reference}; files pair by relative path without extension"
        )
    strays = sorted(decodeds.keys() - references.keys())
    if strays:
        log(f"{decoded}: {len(strays)} files without a reference, not scored: {', '.join(strays)}")
    speakers = respelled(speakers, references)
    unnamed = [name for name in references if name not in speakers]
    if speakers and unnamed:
        log(
            f"{reference}: {len(unnamed)} of {len(references)} utterances have no speaker in the"
            f" manifest, for instance '{unnamed[0]}'; their folder's name is taken"
        )
    pairs = []
    for name, path in references.items():
        speaker = speakers.get(name) or Path(name).parent.name or UNKNOWN
        pairs.append(Pair(name, speaker, path, decodeds.get(name)))
    return pairs


def _audio_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise TaaeError(f"{folder}: no such folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix.lower() in SUFFIXES and not any(part[0] == "." for part in inside.parts):
            name = _text(inside.with_suffix(""))
            if name in found:
                raise TaaeError(f"{path}: '{name}' is there twice, also as {found[name].name}")
            found[name] = path
    return found


def _text(path: Path) -> str:
    """Return a path as what a table can hold: a file name need not be text."""
    return path.as_posix().encode(errors="backslashreplace").decode()


def respelled(mapping: Mapping[str, T], names: Iterable[str]) -> dict[str, T]:
    """Return `mapping` with a name for each key that differs from it only in its Unicode form.

    Unicode has é as one character or as two, by the system that a name comes from.
    """
    keys, lacking = (
        {unicodedata.normalize("NFC", name): name for name in sorted(some)}
        for some in (mapping.keys() - names, set(names) - mapping.keys())
    )
    spelling = {keys[form]: lacking[form] for form in keys.keys() & lacking.keys()}
    return {spelling.get(key, key): value for key, value in mapping.items()}


def read_pair(pair: Pair, max_trim: int) -> Signals:
    """Read and check a pair; see `Signals`.

    Lengths that differ by up to `max_trim` samples are cut to the shorter. Decoded samples beyond
    +-1 are clipped; `n_clipped` counts them, or in an integer file those at full scale.
    """
    counts: dict[str, int] = {}
    try:
        if pair.decoded is None:
            raise Failure(Status.MISSING, "no decoded file")
        reference, _ = _read(pair.reference)
        counts["n_ref"] = reference.size
        degraded, peak = _read(pair.decoded)
        counts["n_deg"] = degraded.size
        excess = abs(reference.size - degraded.size)
        if excess > max_trim:
            raise Failure(
                Status.LEN_MISMATCH,
                f"{reference.size} samples against {degraded.size} decoded;"
                f" a difference of up to {max_trim} is trimmed",
            )
    except Failure as problem:
        return Signals(np.zeros(0), np.zeros(0), counts, problem)
    length = min(reference.size, degraded.size)
    reference, degraded = reference[:length], degraded[:length]
    counts["n_trimmed"] = excess
    counts["n_clipped"] = int(np.count_nonzero(np.abs(degraded) > peak))
    if np.isfinite(degraded).all():  # else clipping would hide an infinity
        degraded = np.clip(degraded, -1.0, 1.0)
    if all(np.isfinite(one).all() and not is_silent(one) for one in (reference, degraded)):
        counts["lag_samples"] = delay(reference, degraded)
    return Signals(reference, degraded, counts)


def is_silent(signal: Signal) -> bool:
    """Whether nothing but an offset is left of a signal (n,) at 16 bits."""
    return bool(signal.size == 0 or np.ptp(signal) <= 2 * QUIET)


def _read(path: Path) -> tuple[Signal, float]:
    """Return a file's samples (n,) and the magnitude above which they are clipped."""
    if not path.is_file():
        raise Failure(Status.UNREADABLE, f"{_text(path)}: no plain file")  # a pipe would block
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            rate, channels, subtype = file.samplerate, file.channels, file.subtype
            samples = file.read(dtype="float64")
    except (soundfile.SoundFileError, OSError) as error:
        raise Failure(Status.UNREADABLE, f"{_text(path)}: {error}") from error
    if rate != SAMPLE_RATE:
        raise Failure(Status.SAMPLE_RATE, f"{_text(path)}: {rate} Hz; {SAMPLE_RATE} Hz is needed")
    if channels != 1:
        raise Failure(Status.CHANNELS, f"{_text(path)}: {channels} channels; mono is needed")
    bits = re.fullmatch(r"PCM_[SU]?(\d+)", subtype)
    return samples, 1 - 1.5 * 2.0 ** (1 - int(bits[1])) if bits else 1.0


def given(
    signals: Signals, shortest: float, longest: float = np.inf, *, intrusive: bool = False
) -> list[Signal]:
    """Return the reference, where `intrusive`, and the decoded signal; lengths in seconds.

    Raises:
        Failure: a metric would crash on these signals, or misjudge them.
    """
    if signals.problem:
        raise signals.problem
    sides = {"reference": signals.reference} if intrusive else {}
    sides["decoded"] = signals.degraded
    for side, samples in sides.items():
        if not np.isfinite(samples).all():
            raise Failure(Status.NONFINITE, f"NaN or infinity in the {side} signal")
    seconds = signals.degraded.size / SAMPLE_RATE
    if seconds == 0:
        raise Failure(Status.TOO_SHORT, "no samples")
    if seconds < shortest:
        raise Failure(Status.TOO_SHORT, f"{seconds:.3f} s; needs {shortest:g} s")
    if seconds > longest:
        raise Failure(Status.TOO_LONG, f"{seconds:.1f} s; is given at most {longest:g} s")
    for side, samples in sides.items():
        if is_silent(samples):
            status = Status.SILENT_REF if side == "reference" else Status.SILENT_DEG
            raise Failure(status, f"the {side} signal is silent")
    return list(sides.values())
