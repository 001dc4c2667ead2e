"""eSpeak NG through ctypes: text to int16 samples."""

from __future__ import annotations

import ctypes
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from taae.utils.errors import TaaeError

# speak_lib.h of eSpeak NG 1.52
_SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: samples go to the callback
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4  # espeak_PARAMETER
_CHARACTER, _UTF8 = 1, 1  # espeak_POSITION_TYPE; espeakCHARS_UTF8
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)

VOLUME = 20  # at the default, 100, a third of the variants drive eSpeak's limiter, at 30 one


@dataclass(frozen=True)
class Voice:
    """An accent, a variant (the speaker's vocal tract) and a manner of speaking.

    `pitch` and `range` are eSpeak's, 0 to 99 with 50 neutral; `rate` is in words per minute.
    """

    accent: str
    variant: str
    pitch: int
    range: int
    rate: int

    def __str__(self) -> str:
        """Name everything that makes the voice."""
        return (
            f"{self.accent}+{self.variant} pitch {self.pitch} range {self.range} rate {self.rate}"
        )


class ESpeak:
    """The library, for one voice, in a `with` block.

    It keeps state (of pitch flutter, filters, noise) that nothing resets, so speech can be
    repeated exactly only by the same calls in a fresh process.
    """

    def __init__(self, voice: Voice, seed: int = 1) -> None:
        """Choose a voice and the seed of the library's noise."""
        self.voice = voice
        self.seed = seed

    def __enter__(self) -> ESpeak:
        """Load the library and the voice; a `TaaeError` where either is missing."""
        data = Path(espeakng_loader.get_data_path())
        if not (data / "voices" / "!v" / self.voice.variant).is_file():  # eSpeak would not say
            raise TaaeError(f"eSpeak NG has no voice variant '{self.voice.variant}'")
        # eSpeak cuts data paths off at 160 bytes, which an environment's path may well exceed.
        self._home = tempfile.TemporaryDirectory(prefix="espeak-")
        link = Path(self._home.name) / "espeak-ng-data"
        link.symlink_to(data, target_is_directory=True)
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.sample_rate = self._library.espeak_Initialize(
            _SYNCHRONOUS, 0, str(link).encode(), _DONT_EXIT
        )
        if self.sample_rate <= 0:
            raise TaaeError(f"eSpeak NG does not start with its data in {data}")
        self._chunks: list[NDArray[np.int16]] = []
        self._callback = _Callback(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)
        name = f"{self.voice.accent}+{self.voice.variant}"
        if self._library.espeak_SetVoiceByName(name.encode()):
            raise TaaeError(f"eSpeak NG has no voice '{name}'")
        for parameter, value in (
            (_RATE, self.voice.rate),
            (_VOLUME, VOLUME),
            (_PITCH, self.voice.pitch),
            (_RANGE, self.voice.range),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(self.seed))  # else from the clock
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the library's data."""
        self._library.espeak_Terminate()
        self._home.cleanup()

    def speak(self, text: str) -> NDArray[np.int16]:
        """Return `text` spoken, (samples,) at `sample_rate` Hz."""
        data = text.encode()
        self._chunks.clear()
        status = self._library.espeak_Synth(
            data, ctypes.c_size_t(len(data) + 1), 0, _CHARACTER, 0, _UTF8, None, None
        )
        if status:
            raise TaaeError(f"eSpeak NG failed with status {status} on: {text}")
        return np.concatenate([np.zeros(0, np.int16), *self._chunks])

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0
