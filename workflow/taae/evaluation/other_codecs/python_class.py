"""A codec that is a Python class of its author's."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from taae.evaluation.decoded_files import Audio, Coded
from taae.evaluation.other_codecs.config import PythonSettings
from taae.utils.errors import NotInstalled, TaaeError
from taae.utils.log import log

NEEDED = ("rate", "encode", "decode")


class PythonCodec:
    """A class with `rate` (Hz), `encode(audio) -> bytes` and `decode(bytes, samples) -> array`.

    Audio is float32 (samples,) at `rate`, full scale 1. Bits are 8 for each byte. It runs in this
    process, made once with the options of the settings.
    """

    bitrate = None

    def __init__(self, settings: PythonSettings) -> None:
        """Import the class and make it.

        Raises:
            NotInstalled: there is no such module.
            TaaeError: there is no such class in it, or it lacks something; names the class.
        """
        self.name = settings.class_
        where, _, name = self.name.rpartition(":")
        if settings.file is None:
            raise NotInstalled(f"no module {where}; install it, or call taae in its folder")
        module = self._try("import", _imported, where, settings.file)
        if not hasattr(module, name):
            raise TaaeError(f"class: {where} has no {name}")
        self.codec = self._try("options", getattr(module, name), **settings.options)
        for needed in NEEDED:
            if not hasattr(self.codec, needed):
                raise TaaeError(
                    f"class: {self.name} has no {needed}; a codec has {', '.join(NEEDED)}"
                )
        self.rate = self.codec.rate
        if not isinstance(self.rate, int) or self.rate < 1:
            raise TaaeError(f"class: {self.name}: rate is {self.rate!r}; whole Hz are needed")
        self.version = str(getattr(self.codec, "version", self.name))

    def __call__(self, audio: Audio, _: str) -> Coded:
        """Code (n,) at the codec's rate; see `Codec`."""
        coded = self._try("encode", self.codec.encode, audio.copy())
        if not isinstance(coded, bytes):
            raise TaaeError(f"{self.name}: encode returns {type(coded).__name__}, not bytes")
        decoded = self._try("decode", self.codec.decode, coded, audio.size)
        decoded = self._try("decode", np.asarray, decoded, dtype=np.float32)
        if decoded.ndim != 1:
            raise TaaeError(f"{self.name}: decode returns {decoded.shape}, not (samples,)")
        return Coded(decoded, None, 8 * len(coded))

    def _try(self, step: str, function: Callable[..., Any], *values: Any, **options: Any) -> Any:
        """Call what others wrote; the log has the whole traceback of an exception."""
        try:
            return function(*values, **options)
        except Exception as error:
            log(traceback.format_exc())
            raise TaaeError(f"{self.name}: {step}: {type(error).__name__}: {error}") from error


def _imported(where: str, file: Path) -> ModuleType:
    """Import a module by name, or a file, which may import its neighbours."""
    folder = str(file.parent.absolute() if where.endswith(".py") else Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    if not where.endswith(".py"):
        return import_module(where)
    name = f"taae_codec_{file.stem}"  # no module of another package
    spec = spec_from_file_location(name, file)
    assert spec and spec.loader, "the settings have checked the suffix"
    module = sys.modules[name] = module_from_spec(spec)  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module
