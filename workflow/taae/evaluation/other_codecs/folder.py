"""Audio that was decoded elsewhere, as a codec."""

from __future__ import annotations

import numpy as np
import soundfile

from taae.evaluation.decoded_files import Audio, Coded
from taae.evaluation.other_codecs.config import AUDIO_SUFFIXES, FolderSettings
from taae.utils.audio import RejectedError, read_audio
from taae.utils.errors import TaaeError


class DecodedFolder:
    """Files with the names of the utterances, all of one sample rate; bits are as declared."""

    def __init__(self, settings: FolderSettings) -> None:
        """Look at the first file for the sample rate."""
        self.bitrate = settings.bitrate
        files = settings.files
        if not files:
            raise TaaeError(f"{settings.path}: no {' and no '.join(AUDIO_SUFFIXES)} file")
        self.files = {path.stem: path for path in files}
        if len(self.files) < len(files):
            twice = next(path for path in files if path not in self.files.values())
            raise TaaeError(f"{twice}: is there twice, also as {self.files[twice.stem].name}")
        try:
            self.rate = int(soundfile.info(files[0]).samplerate)
        except soundfile.SoundFileError as error:
            raise TaaeError(f"{files[0]}: not a readable audio file ({error})") from error
        self.version = "decoded elsewhere"

    def __call__(self, audio: Audio, utterance: str) -> Coded | None:
        """Return the file of an utterance (n,) at the files' rate; None where there is none."""
        path = self.files.get(utterance)
        if path is None:
            return None
        try:
            decoded, rate = read_audio(path)
        except RejectedError as error:
            raise TaaeError(f"{path}: not a readable audio file ({error.detail})") from error
        if rate != self.rate:
            raise TaaeError(f"{path}: {rate} Hz, but other files have {self.rate} Hz")
        if decoded.shape[1] != 1:
            raise TaaeError(f"{path}: {decoded.shape[1]} channels; mono is needed")
        bits = round(self.bitrate * audio.size / self.rate)
        return Coded(decoded[:, 0].astype(np.float32), None, bits)
