"""Codes at their nominal bitrate: fixed-length packing, without a model.

Codes are the digits of one number per block of 1024 frames, frame after frame, the first digit
lowest, each in the base of its column; a block is written little-endian in the fewest bytes that
hold its largest number. Bits per code would round 17 levels up to 32; this wastes less than a byte
per block.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from taae.utils.errors import TaaeError

BLOCK = 1024  # frames


def size(frames: int, levels: Sequence[int]) -> int:
    """Return the bytes that `pack` needs for that many frames."""
    return sum(length for _, length in _blocks(frames, levels))


def pack(codes: NDArray[np.uint8], levels: Sequence[int]) -> bytes:
    """Return codes (frames, columns), each below its column's `levels`, as bytes."""
    parts = []
    start = 0
    for frames, length in _blocks(len(codes), levels):
        number = 0
        for frame in codes[start : start + frames][::-1].tolist():
            digits = 0
            for digit, base in zip(reversed(frame), reversed(levels), strict=True):
                digits = digits * base + digit
            number = number * math.prod(levels) + digits
        parts.append(number.to_bytes(length, "little"))
        start += frames
    return b"".join(parts)


def unpack(data: bytes, frames: int, levels: Sequence[int]) -> NDArray[np.uint8]:
    """Return the codes (frames, columns) that `pack` turned into `data`."""
    if len(data) != size(frames, levels):
        raise TaaeError(f"{len(data)} bytes are not {frames} frames of {list(levels)} levels")
    codes = np.empty((frames, len(levels)), np.uint8)
    start = frame = 0
    for count, length in _blocks(frames, levels):
        number = int.from_bytes(data[start : start + length], "little")
        for row in range(frame, frame + count):
            number, digits = divmod(number, math.prod(levels))
            for column, base in enumerate(levels):
                digits, codes[row, column] = divmod(digits, base)
        start, frame = start + length, frame + count
    return codes


def _blocks(frames: int, levels: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the frames and the bytes of each block."""
    for start in range(0, frames, BLOCK):
        count = min(BLOCK, frames - start)
        largest: int = math.prod(levels) ** count - 1
        yield count, (largest.bit_length() + 7) // 8
