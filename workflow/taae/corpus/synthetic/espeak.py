"""eSpeak NG through ctypes: text to int16 samples."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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


class ESpeak(NamedTuple):
    """The library with one voice: text to (samples,) at `sample_rate` Hz."""

    speak: Callable[[str], NDArray[np.int16]]
    sample_rate: int


@contextmanager
def espeak(voice: Voice, seed: int = 1) -> Iterator[ESpeak]:
    """Yield eSpeak NG with a voice; `seed` is that of its noise.

    It keeps state (of pitch flutter, filters, noise) that nothing resets, so speech can be
    repeated exactly only by the same calls in a fresh process.

    Raises:
        TaaeError: the library or the voice is missing.
    """
    data = Path(espeakng_loader.get_data_path())
    if not (data / "voices" / "!v" / voice.variant).is_file():  # eSpeak would not say
        raise TaaeError(f"eSpeak NG has no voice variant '{voice.variant}'")
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    chunks: list[NDArray[np.int16]] = []

    def receive(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def speak(text: str) -> NDArray[np.int16]:
        content = text.encode()
        chunks.clear()
        status = library.espeak_Synth(
            content, ctypes.c_size_t(len(content) + 1), 0, _CHARACTER, 0, _UTF8, None, None
        )
        if status:
            raise TaaeError(f"eSpeak NG failed with status {status} on: {text}")
        return np.concatenate([np.zeros(0, np.int16), *chunks])

    # eSpeak cuts data paths off at 160 bytes, which an environment's path may well exceed.
    with tempfile.TemporaryDirectory(prefix="espeak-") as home:
        link = Path(home) / "espeak-ng-data"
        link.symlink_to(data, target_is_directory=True)
        rate = library.espeak_Initialize(_SYNCHRONOUS, 0, str(link).encode(), _DONT_EXIT)
        if rate <= 0:
            raise TaaeError(f"eSpeak NG does not start with its data in {data}")
        callback = _Callback(receive)  # held for as long as the library may call it
        library.espeak_SetSynthCallback(callback)
        name = f"{voice.accent}+{voice.variant}"
        if library.espeak_SetVoiceByName(name.encode()):
            raise TaaeError(f"eSpeak NG has no voice '{name}'")
        settings = {_RATE: voice.rate, _VOLUME: VOLUME, _PITCH: voice.pitch, _RANGE: voice.range}
        for parameter, value in settings.items():
            library.espeak_SetParameter(parameter, value, 0)
        library.espeak_ng_SetRandSeed(ctypes.c_long(seed))  # else from the clock
        try:
            yield ESpeak(speak, rate)
        finally:
            library.espeak_Terminate()
