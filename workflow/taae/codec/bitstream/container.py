"""The .taae file: the codes of one recording, with what is needed to refuse a wrong decoder.

Byte by byte, numbers little-endian:

    offset  bytes
    0       4      "TAAE"
    4       1      version of this layout: 1
    5       1      form of the payload: 0 packed (see below), 1 range coded
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

Packed codes have their nominal bitrate. They are the digits of one number per block of 1024 frames,
frame after frame, the first digit lowest, each in the base of its column; a block is written in the
fewest bytes that hold its largest number. Bits per code would round 17 levels up to 32; this wastes
less than a byte per block.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from taae.codec.bitstream.entropy_model import Codes, EntropyModel
from taae.codec.operating_points import Stage
from taae.codec.pretrained import CONFIG, WEIGHTS
from taae.utils.errors import TaaeError
from taae.utils.files import atomic

MAGIC, VERSION = b"TAAE", 1
_HEADER, _STAGE = struct.Struct("<4sBBI4s4sIfB"), struct.Struct("<Bf")
_CRC = slice(6, 10)
BLOCK = 1024  # frames


@dataclass(frozen=True)
class Packet:
    """The content of a .taae file; see the module for its fields."""

    model: bytes
    samples: int
    level: float
    stages: tuple[Stage, ...]
    entropy_model: bytes  # its fingerprint; empty where the payload is packed
    payload: bytes

    @classmethod
    def of(
        cls,
        codes: Codes,
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
            alphabet: values of each column (`taae.codec.config.Bottleneck.alphabet`).
            entropy_model: fitted at the same operating point.
            model, samples, level, stages: see the module.
        """
        packed = pack(codes, alphabet)
        if entropy_model is not None:
            if entropy_model.levels != tuple(alphabet):
                raise TaaeError(
                    f"the entropy model is for codes of {list(entropy_model.levels)} levels, not of"
                    f" {list(alphabet)}; fit one at this operating point"
                )
            payload = entropy_model.encode(codes)
            if len(payload) < len(packed):
                return cls(model, samples, level, stages, entropy_model.fingerprint, payload)
        return cls(model, samples, level, stages, b"", packed)

    def codes(
        self, frames: int, alphabet: Sequence[int], entropy_model: EntropyModel | None
    ) -> Codes:
        """Return the codes (frames, columns) that went in.

        Raises:
            TaaeError: the payload needs another entropy model, or is not that many frames.
        """
        if not self.entropy_model:
            return unpack(self.payload, frames, alphabet)
        if entropy_model is None:
            raise TaaeError("the codes are range coded; decoding needs the entropy model")
        if entropy_model.fingerprint != self.entropy_model:
            raise TaaeError("the codes are range coded with another entropy model")
        return entropy_model.decode(self.payload, frames)

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        header = _HEADER.pack(
            *(MAGIC, VERSION, bool(self.entropy_model), 0, self.model, self.entropy_model),
            *(self.samples, self.level, len(self.stages)),
        )
        stages = b"".join(_STAGE.pack(*stage) for stage in self.stages)
        data = bytearray(header + stages + self.payload)
        data[_CRC] = _checksum(data)
        return bytes(data)

    @classmethod
    def from_bytes(cls, data: bytes) -> Packet:
        """Read the content of a file.

        Raises:
            TaaeError: not a .taae file, or of another version, damaged or truncated.
        """
        if data[:4] != MAGIC[: len(data)] or not data:
            raise TaaeError("not a .taae file")
        if len(data) < _HEADER.size:
            raise TaaeError(f"truncated: {len(data)} bytes are less than a header")
        _, version, coded, _, model, entropy_model, samples, level, count = _HEADER.unpack_from(
            data
        )
        if version != VERSION:
            raise TaaeError(f"version {version} of the format; this program reads {VERSION}")
        if data[_CRC] != _checksum(data):
            raise TaaeError("damaged or truncated: its checksum does not hold")
        payload = _HEADER.size + count * _STAGE.size
        stages = tuple(map(Stage._make, _STAGE.iter_unpack(data[_HEADER.size : payload])))
        used = entropy_model if coded else b""
        return cls(model, samples, level, stages, used, data[payload:])


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
    for name in (CONFIG, WEIGHTS):
        hashed.update((folder / name).read_bytes())
    return hashed.digest()[:4]


def pack(codes: Codes, levels: Sequence[int]) -> bytes:
    """Return codes (frames, columns), each below its column's `levels`, as bytes."""
    packed = b""
    for frames, length in _blocks(len(codes), levels):
        number = 0
        for frame in codes[frames][::-1].tolist():
            for digit, base in zip(frame[::-1], levels[::-1], strict=True):
                number = number * base + digit
        packed += number.to_bytes(length, "little")
    return packed


def unpack(data: bytes, frames: int, levels: Sequence[int]) -> Codes:
    """Return the codes (frames, columns) that `pack` turned into `data`."""
    if len(data) != sum(length for _, length in _blocks(frames, levels)):
        raise TaaeError(f"{len(data)} bytes are not {frames} frames of {list(levels)} levels")
    codes = np.empty((frames, len(levels)), np.uint8)
    for block, length in _blocks(frames, levels):
        number, data = int.from_bytes(data[:length], "little"), data[length:]
        for frame in codes[block]:
            for column, base in enumerate(levels):
                number, frame[column] = divmod(number, base)
    return codes


def _blocks(frames: int, levels: Sequence[int]) -> Iterator[tuple[slice, int]]:
    """Yield the frames and the number of bytes of each block."""
    for start in range(0, frames, BLOCK):
        count = min(BLOCK, frames - start)
        largest: int = math.prod(levels) ** count - 1
        yield slice(start, start + count), (largest.bit_length() + 7) // 8


def _checksum(data: bytes | bytearray) -> bytes:
    return struct.pack("<I", zlib.crc32(data[_CRC.stop :], zlib.crc32(data[: _CRC.start])))
