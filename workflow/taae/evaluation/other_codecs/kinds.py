"""The codec of each kind of settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taae.evaluation.other_codecs.command import CommandCodec
from taae.evaluation.other_codecs.config import OtherCodec
from taae.evaluation.other_codecs.folder import DecodedFolder
from taae.evaluation.other_codecs.interface import Codec
from taae.evaluation.other_codecs.neural import NeuralCodec
from taae.evaluation.other_codecs.programs import Codec2, Opus
from taae.evaluation.other_codecs.python_class import PythonCodec

KINDS: dict[str, Callable[[Any], Codec]] = {
    "opus": Opus,
    "codec2": Codec2,
    "encodec": NeuralCodec,
    "dac": NeuralCodec,
    "mimi": NeuralCodec,
    "command": CommandCodec,
    "folder": DecodedFolder,
    "python": PythonCodec,
}


def load(settings: OtherCodec) -> Codec:
    """Return a codec ready to use.

    Raises:
        NotInstalled: what it needs is not there.
        TaaeError: it has no such operating point, or is not what the settings say.
    """
    return KINDS[settings.kind](settings)
