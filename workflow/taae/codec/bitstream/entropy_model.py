"""Probability models of a codec's codes, and the range coder that they drive.

Decoding must find exactly the probabilities of encoding, on any machine: the models are tables of
integers that sum to 2^16, which float32 holds exactly as shares, so nothing is left to rounding.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from taae.utils.errors import TaaeError
from taae.utils.files import atomic

Codes = NDArray[np.uint8]
Order = Literal[0, 1]

ORDERS: tuple[Order, ...] = (0, 1)
TOTAL = 1 << 16  # what the frequencies of a column sum to
BLOCK = 1024  # frames that are encoded at a time, to bound memory


def entropy_model_path(folder: Path, point: str, order: Order = 1) -> Path:
    """Return where the entropy model of an operating point is; `folder` is MODEL/entropy-models."""
    return folder / point / f"order{order}.npz"


@dataclass(frozen=True)
class EntropyModel:
    """Models each column of the codes (frames, columns) on its own.

    Attributes:
        levels: number of values of each column (`taae.codec.config.Bottleneck.alphabet`), 2 to 255.
        frequencies: uint16 (columns, contexts, largest of levels), each row summing to 2^16.
            One context (order 0), or (order 1) one for the first frame and one for each value
            that the column had in the frame before.
    """

    levels: tuple[int, ...]
    frequencies: NDArray[np.uint16]

    @classmethod
    def fit(cls, codes: Iterable[Codes], levels: Sequence[int], order: Order) -> EntropyModel:
        """Count codes (frames, columns), one array per utterance, of the training split.

        Order 0 adds one to each count. Order 1 adds L counts to each context, distributed as in
        order 0, so that a context that never occurred has the probabilities of order 0.
        """
        columns, most = len(levels), max(levels)
        counts = np.zeros((columns, most, most))
        values = np.zeros((columns, most))
        for one in codes:
            now = _checked(one, levels).astype(np.intp)
            which = np.broadcast_to(np.arange(columns), now.shape)
            np.add.at(values, (which, now), 1)
            np.add.at(counts, (which[1:], now[:-1], now[1:]), 1)
        used = np.arange(most) < np.array(levels)[:, None]
        marginal = (values + used) / (values + used).sum(1, keepdims=True)
        tables = marginal[:, None]
        if order == 1:
            counts += np.array(levels)[:, None, None] * marginal[:, None]
            tables = np.concatenate([tables, counts / counts.sum(2, keepdims=True)], axis=1)
        return cls(tuple(levels), _frequencies(tables, used))

    @property
    def order(self) -> Order:
        """The number of previous frames that the model looks at."""
        return 0 if self.frequencies.shape[1] == 1 else 1

    @cached_property
    def fingerprint(self) -> bytes:
        """Four bytes of a hash: other entropy models have other bytes, almost surely."""
        shape = np.array([*self.levels, *self.frequencies.shape], "<u4")
        content = shape.tobytes() + self.frequencies.astype("<u2").tobytes()
        return hashlib.sha256(content).digest()[:4]

    def encode(self, codes: Codes) -> bytes:
        """Return codes (frames, columns) range coded, as whole 32-bit little-endian words."""
        contexts = np.zeros(_checked(codes, self.levels).shape, np.intp)
        if self.order == 1:
            contexts[1:] = codes[:-1].astype(np.intp) + 1
        coder = stream.queue.RangeEncoder()
        for start in range(0, len(codes), BLOCK):
            block = slice(start, start + BLOCK)
            shares = self._shares[np.arange(len(self.levels)), contexts[block]]
            symbols = codes[block].astype(np.int32).ravel()
            coder.encode(symbols, _FAMILY, shares.reshape(len(symbols), -1))
        return bytes(coder.get_compressed().astype("<u4").tobytes())

    def decode(self, data: bytes, frames: int) -> Codes:
        """Return the codes that `encode` turned into `data`."""
        coder = stream.queue.RangeDecoder(np.frombuffer(data, "<u4").astype(np.uint32))
        codes = np.empty((frames, len(self.levels)), np.uint8)
        columns = np.arange(len(self.levels))
        context = np.zeros_like(columns)
        for frame in range(frames):
            codes[frame] = coder.decode(_FAMILY, self._shares[columns, context])
            if self.order == 1:
                context = codes[frame].astype(np.intp) + 1
        return codes

    def save(self, path: Path) -> None:
        """Write the model as .npz, atomically."""
        with atomic(path) as temporary:
            np.savez_compressed(
                temporary, levels=np.array(self.levels, np.uint8), frequencies=self.frequencies
            )

    @classmethod
    def load(cls, path: Path) -> EntropyModel:
        """Read what `save` wrote; a `TaaeError` for anything else."""
        try:
            with np.load(path, allow_pickle=False) as file:
                levels, frequencies = file["levels"], file["frequencies"]
        except FileNotFoundError:
            raise TaaeError(f"{path}: no such file; fit it with `taae entropy-models`") from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise TaaeError(f"{path}: not an entropy model ({error})") from error
        most = int(levels.max(initial=0))
        shapes = [(len(levels), contexts, most) for contexts in (1, most + 1)]
        known = frequencies.dtype == np.uint16 and frequencies.shape in shapes
        if not known or (frequencies.sum(2, dtype=np.int64) != TOTAL).any():
            raise TaaeError(f"{path}: not an entropy model (other shape, or sums unlike {TOTAL})")
        return cls(tuple(levels.tolist()), frequencies)

    @cached_property
    def _shares(self) -> NDArray[np.float32]:
        return self.frequencies.astype(np.float32) / np.float32(TOTAL)


# perfect=True searches for the best fixed-point form of the shares, in floating point; this one is
# a product and a truncation, alike on every machine.
_FAMILY = stream.model.Categorical(perfect=False)


def _checked(codes: Codes, levels: Sequence[int]) -> Codes:
    if codes.ndim != 2 or codes.shape[1] != len(levels) or (codes >= np.array(levels)).any():
        raise TaaeError(
            f"codes {codes.shape}: not (frames, {len(levels)}) with values below {list(levels)};"
            " they are of another codec or operating point"
        )
    return codes


def _frequencies(tables: NDArray[np.float64], used: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Round probabilities (columns, contexts, values) to positive integers that sum to TOTAL.

    Every value in use gets 1 first; the rest is distributed by largest remainder.
    """
    used = np.broadcast_to(used[:, None], tables.shape)
    free = TOTAL - used.sum(2, keepdims=True)
    exact = tables * free
    whole = np.floor(exact)
    missing = free - whole.sum(2, keepdims=True)
    rank = np.argsort(np.argsort(whole - exact, axis=2, kind="stable"), axis=2, kind="stable")
    frequencies: NDArray[np.uint16] = (whole + used + (rank < missing)).astype(np.uint16)
    return frequencies
