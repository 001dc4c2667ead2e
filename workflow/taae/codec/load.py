"""A codec of either kind, new or from a model folder."""

from __future__ import annotations

from pathlib import Path

from taae.codec.base import Codec
from taae.codec.config import CodecConfig, Kind
from taae.codec.conv import ConvCodec
from taae.codec.pretrained import read_config
from taae.codec.taae import TAAE

KINDS: dict[Kind, type[TAAE] | type[ConvCodec]] = {"taae": TAAE, "conv": ConvCodec}


def build(config: CodecConfig) -> Codec:
    """Return a codec with new weights, of the kind that `model.kind` says."""
    return KINDS[config.model.kind](config)


def load_codec(folder: Path | str) -> Codec:
    """Return the codec of a model folder, of either kind, in evaluation mode.

    Raises:
        TaaeError: a file is missing or damaged.
    """
    return KINDS[read_config(Path(folder)).model.kind].from_pretrained(folder)
