"""Audio that was decoded elsewhere, as a codec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from taae.evaluation.decoded_files import Audio, Coded
from taae.evaluation.other_codecs.config import FolderSettings
from taae.utils.audio import RejectedError, read_audio
from taae.utils.errors import TaaeError

SUFFIXES = (".flac", ".wav")


class DecodedFolder:
    """Files with the names of the utterances, all of one sample rate; bits are as declared."""

    def __init__(self, settings: FolderSettings) -> None:
        """Look at the first file for the sample rate."""
        self.folder, self.bitrate = Path(settings.path), settings.bitrate
        found = sorted(path for path in self.folder.iterdir() if path.suffix in SUFFIXES)
        if not found:
            raise TaaeError(f"{self.folder}: no {' and no '.join(SUFFIXES)} file")
        try:
            self.rate = int(soundfile.info(found[0]).samplerate)
        except soundfile.SoundFileError as error:
            raise TaaeError(f"{found[0]}: not a readable audio file ({error})") from error
        self.version = "decoded elsewhere"

    def __call__(self, audio: Audio, utterance: str) -> Coded | None:
        """Return the file of an utterance (n,) at the files' rate; None where there is none."""
        there = [
            path for suffix in SUFFIXES if (path := self.folder / f"{utterance}{suffix}").is_file()
        ]
        if not there:
            return None
        if len(there) > 1:
            raise TaaeError(f"{there[0]}: the utterance is there twice, also as {there[1].name}")
        try:
            decoded, rate = read_audio(there[0])
        except RejectedError as error:
            raise TaaeError(f"{there[0]}: not a readable audio file ({error.detail})") from error
        if rate != self.rate:
            raise TaaeError(f"{there[0]}: {rate} Hz, but other files have {self.rate} Hz")
        if decoded.shape[1] != 1:
            raise TaaeError(f"{there[0]}: {decoded.shape[1]} channels; mono is needed")
        bits = round(self.bitrate * audio.size / self.rate)
        return Coded(decoded[:, 0].astype(np.float32), None, bits)
