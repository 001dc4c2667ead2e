"""Pairs of audio files: found by name, read, checked and brought to one length."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile

from taae.evaluation.scoring.signal_metrics import Signal, delay
from taae.evaluation.scoring.status import Failure, Status
from taae.utils.errors import TaaeError
from taae.utils.log import log
from taae.utils.sample_rate import SAMPLE_RATE

T = TypeVar("T")

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


@dataclass
class Signals:
    """A pair's samples (n,), equally long, with what was found on the way to them.

    A `problem` leaves every metric of the pair without a value; what follows it is not filled.
    """

    reference: Signal = field(default_factory=lambda: np.zeros(0))
    degraded: Signal = field(default_factory=lambda: np.zeros(0))
    n_ref: int | None = None
    n_deg: int | None = None
    n_trimmed: int | None = None
    lag_samples: int | None = None
    n_clipped: int | None = None
    problem: Failure | None = None


def read_speakers(manifest: Path) -> dict[str, str]:
    """Return utterance -> speaker from a CSV with these columns.

    Raises:
        TaaeError: a row lacks one of them, or an utterance has two speakers.
    """
    from taae.utils.files import read_csv  # imports pandas, which no worker needs

    columns = ["utterance", "speaker"]
    table = read_csv(manifest, columns, columns)[columns]
    gaps = table.isna().any(axis="columns").to_numpy()
    if gaps.any():
        raise TaaeError(f"{manifest}: line {gaps.argmax() + 2}: no utterance or no speaker")
    several = table.drop_duplicates()["utterance"].duplicated()
    if several.any():
        name = table.drop_duplicates()["utterance"][several].iloc[0]
        raise TaaeError(f"{manifest}: utterance '{name}' has two speakers")
    return dict(table.itertuples(index=False, name=None))


def find_pairs(reference: Path, decoded: Path, speakers: dict[str, str]) -> list[Pair]:
    """Pair the audio files of two folders by relative name without extension, sorted by it.

    `speakers` maps utterances to speakers; without an entry the speaker is the name of the folder
    that the reference lies in, or `UNKNOWN` at the top.

    Raises:
        TaaeError: a folder is missing, a name is there twice, or the folders share no name.
    """
    references = _audio_files(reference)
    decodeds = _respelled(_audio_files(decoded), references)
    if not references.keys() & decodeds.keys():
        raise TaaeError(
            f"{decoded}: none of its {len(decodeds)} audio files has the name of one of the"
            f" {len(references)} in {reference}; files pair by relative path without extension"
        )
    strays = sorted(decodeds.keys() - references.keys())
    if strays:
        log(f"{decoded}: {len(strays)} files without a reference, not scored: {', '.join(strays)}")
    return [
        replace(pair, decoded=decodeds.get(pair.utterance))
        for pair in find_references(reference, speakers)
    ]


def find_references(reference: Path, speakers: dict[str, str]) -> list[Pair]:
    """Return the pairs of `find_pairs` as if no decoded file were there."""
    found = sorted(_audio_files(reference).items())
    speakers = _respelled(speakers, (name for name, _ in found))
    unnamed = [name for name, _ in found if name not in speakers]
    if speakers and unnamed:
        log(
            f"{reference}: {len(unnamed)} of {len(found)} utterances have no speaker in the"
            f" manifest, for instance '{unnamed[0]}'; their folder's name is taken"
        )
    return [
        Pair(name, speakers.get(name) or _folder_name(name), path, None) for name, path in found
    ]


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


def _respelled(mapping: dict[str, T], names: Iterable[str]) -> dict[str, T]:
    """Return `mapping`, its keys spelled as in `names`.

    Unicode has é as one character or as two, by the system that a name comes from. A key without
    an equal name gets the name that differs only in this, if there is exactly one.
    """
    names = set(names)
    keys = _by_form(mapping.keys() - names)
    respelled = dict(mapping)
    for form, lacking in _by_form(names - mapping.keys()).items():
        if len(lacking) == len(keys.get(form, [])) == 1:
            respelled[lacking[0]] = respelled.pop(keys[form][0])
    return respelled


def _by_form(names: Iterable[str]) -> dict[str, list[str]]:
    forms: dict[str, list[str]] = {}
    for name in names:
        forms.setdefault(unicodedata.normalize("NFC", name), []).append(name)
    return forms


def _folder_name(utterance: str) -> str:
    return Path(utterance).parent.name or UNKNOWN


def read_pair(pair: Pair, max_trim: int) -> Signals:
    """Read and check a pair; see `Signals`.

    Lengths that differ by up to `max_trim` samples are cut to the shorter. Decoded samples beyond
    +-1 are clipped; `n_clipped` counts them, or in an integer file those at full scale.
    """
    signals = Signals()
    try:
        if pair.decoded is None:
            raise Failure(Status.MISSING, "no decoded file")
        signals.reference, _ = _read(pair.reference)
        signals.n_ref = signals.reference.size
        signals.degraded, peak = _read(pair.decoded)
        signals.n_deg = signals.degraded.size
        _trim(signals, max_trim)
    except Failure as failure:
        signals.problem = failure
        return signals
    signals.n_clipped = int(np.count_nonzero(np.abs(signals.degraded) > peak))
    if np.isfinite(signals.degraded).all():  # else clipping would hide an infinity
        signals.degraded = np.clip(signals.degraded, -1.0, 1.0)
    both = (signals.reference, signals.degraded)
    if all(np.isfinite(one).all() and not is_silent(one) for one in both):
        signals.lag_samples = delay(*both)
    return signals


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


def _trim(signals: Signals, max_trim: int) -> None:
    excess = abs(signals.reference.size - signals.degraded.size)
    if excess > max_trim:
        raise Failure(
            Status.LEN_MISMATCH,
            f"{signals.n_ref} samples against {signals.n_deg} decoded;"
            f" a difference of up to {max_trim} is trimmed",
        )
    signals.n_trimmed = excess
    length = min(signals.reference.size, signals.degraded.size)
    signals.reference = signals.reference[:length]
    signals.degraded = signals.degraded[:length]
