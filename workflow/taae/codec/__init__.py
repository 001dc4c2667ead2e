"""The TAAE codec and a convolutional one: network, quantizer, streaming, bitstream.

`TAAE`, `ConvCodec`, `FSQ`, `load_codec` and the streams are importable from here. They are loaded
when first asked for: the Snakefile reads the settings (`taae.codec.config`) and needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taae.codec.conv import ConvCodec
    from taae.codec.fsq import FSQ
    from taae.codec.load import load_codec
    from taae.codec.streaming import StreamingDecoder, StreamingEncoder
    from taae.codec.taae import TAAE

__all__ = ["FSQ", "TAAE", "ConvCodec", "StreamingDecoder", "StreamingEncoder", "load_codec"]
_HOMES = {
    "ConvCodec": "conv",
    "FSQ": "fsq",
    "StreamingDecoder": "streaming",
    "StreamingEncoder": "streaming",
    "TAAE": "taae",
    "load_codec": "load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
