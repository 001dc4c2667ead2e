"""The .taae file: the codes of one recording, with what is needed to refuse a wrong decoder.

Byte by byte, numbers little-endian:

    offset  bytes
    0       4      "TAAE"
    4       1      version of this layout: 1
    5       1      form of the payload: 0 packed (`taae.codec.bitstream.packing`), 1 range coded
                   (`taae.codec.bitstream.entropy_model`)
    6       4      CRC-32 (zlib's) of the whole file but these four bytes
    10      4      fingerprint of the model: SHA-256 of its config.json and model.safetensors,
                   first four bytes
    14      4      fingerprint of the entropy model; zeros where the payload is packed
    18      4      samples at 16 kHz, unsigned; frames = samples / hop, rounded up
    22      4      float32 that decoded samples are multiplied with: the level of the input
    26      1      n, stages of the residual FSQ; 0: the quantizer of the training
    27      5 n    per stage: levels, unsigned byte; scale, float32
    27+5n          the payload, to the end of the file

A CRC-32 finds every change of up to four neighbouring bytes, and misses 1 in 2^32 of others.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taae.codec.bitstream import packing
from taae.codec.bitstream.entropy_model import EntropyModel
from taae.codec.operating_points import Stage
from taae.utils.errors import TaaeError
from taae.utils.files import atomic

MAGIC, VERSION = b"TAAE", 1
_FIXED = struct.Struct("<4s4sIfB")  # from offset 10 to 27
_START, _STAGE = struct.Struct("<4sBBI"), struct.Struct("<Bf")
_NO_MODEL = bytes(4)
_CRC = slice(6, 10)


@dataclass(frozen=True)
class Packet:
    """The content of a .taae file; see the module for its fields."""

    model: bytes
    samples: int
    level: float
    stages: tuple[Stage, ...]
    entropy_model: bytes  # fingerprint of the entropy model; empty where the payload is packed
    payload: bytes

    @classmethod
    def of(
        cls,
        codes: NDArray[np.uint8],
        alphabet: Sequence[int],
        entropy_model: EntropyModel | None,
        *,
        model: bytes,
        samples: int,
        level: float,
        stages: tuple[Stage, ...],
    ) -> Packet:
        """Code (frames, columns) with the entropy model, or packed where that takes fewer bytes.

        Args:
            alphabet: values of each column (`taae.codec.operating_points.alphabet`).
            entropy_model: fitted at the same operating point.
            model: of `model_fingerprint`.
            samples, level, stages: see the module.
        """
        if entropy_model is not None:
            _check_alphabet(entropy_model, alphabet)
            payload = entropy_model.encode(codes)
            if len(payload) < packing.size(len(codes), alphabet):
                return cls(model, samples, level, stages, entropy_model.fingerprint, payload)
        return cls(model, samples, level, stages, b"", packing.pack(codes, alphabet))

    def codes(
        self, frames: int, alphabet: Sequence[int], entropy_model: EntropyModel | None
    ) -> NDArray[np.uint8]:
        """Return the codes (frames, columns) that went in.

        Raises:
            TaaeError: the payload needs another entropy model, or is not that many frames.
        """
        if not self.entropy_model:
            return packing.unpack(self.payload, frames, alphabet)
        if entropy_model is None:
            raise TaaeError("the codes are range coded; decoding needs the entropy model")
        if entropy_model.fingerprint != self.entropy_model:
            raise TaaeError("the codes are range coded with another entropy model")
        _check_alphabet(entropy_model, alphabet)
        return entropy_model.decode(self.payload, frames)

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        start = _START.pack(MAGIC, VERSION, bool(self.entropy_model), 0)
        fixed = _FIXED.pack(
            self.model, self.entropy_model or _NO_MODEL, self.samples, self.level, len(self.stages)
        )
        stages = b"".join(_STAGE.pack(*stage) for stage in self.stages)
        data = bytearray(start + fixed + stages + self.payload)
        data[_CRC] = struct.pack("<I", _checksum(data))
        return bytes(data)

    @classmethod
    def from_bytes(cls, data: bytes) -> Packet:
        """Read the content of a file.

        Raises:
            TaaeError: not a .taae file, or of another version, damaged or truncated.
        """
        if data[:4] != MAGIC[: len(data)] or not data:
            raise TaaeError("not a .taae file")
        if len(data) < _START.size + _FIXED.size:
            raise TaaeError(f"truncated: {len(data)} bytes are less than a header")
        _, version, coded, checksum = _START.unpack_from(data)
        if version != VERSION:
            raise TaaeError(f"version {version} of the format; this program reads {VERSION}")
        if checksum != _checksum(data):
            raise TaaeError("damaged or truncated: its checksum does not hold")
        model, entropy_model, samples, level, count = _FIXED.unpack_from(data, _START.size)
        first = _START.size + _FIXED.size
        payload = first + count * _STAGE.size
        stages = tuple(Stage(*pair) for pair in _STAGE.iter_unpack(data[first:payload]))
        return cls(model, samples, level, stages, entropy_model if coded else b"", data[payload:])


def write_taae(path: Path, packet: Packet) -> None:
    """Write a .taae file, atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(packet.to_bytes())


def read_taae(path: Path) -> Packet:
    """Read a .taae file; a `TaaeError` where it is none, damaged or truncated."""
    try:
        return Packet.from_bytes(path.read_bytes())
    except FileNotFoundError:
        raise TaaeError(f"{path}: no such file") from None
    except TaaeError as error:
        raise TaaeError(f"{path}: {error}") from None


def model_fingerprint(folder: Path) -> bytes:
    """Return four bytes of a hash of a saved model: another has other bytes, almost surely."""
    hashed = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        try:
            hashed.update((folder / name).read_bytes())
        except FileNotFoundError:
            raise TaaeError(f"{folder / name}: no such file; is {folder} a model?") from None
    return hashed.digest()[:4]


def _checksum(data: bytes | bytearray) -> int:
    return zlib.crc32(data[_CRC.stop :], zlib.crc32(data[: _CRC.start]))


def _check_alphabet(entropy_model: EntropyModel, alphabet: Sequence[int]) -> None:
    if entropy_model.levels != tuple(alphabet):
        raise TaaeError(
            f"the entropy model is of codes with {list(entropy_model.levels)} levels, not"
            f" {list(alphabet)}; it was fitted for another codec or operating point"
        )
