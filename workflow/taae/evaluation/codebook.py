"""How a codec uses the levels of its quantizer.

Codes are (frames, columns) of uint8 per utterance, as `taae.evaluation.decode` writes them; a
column is a latent dimension, or one of each stage of a residual FSQ. Entropies are of the pooled
test set (plug-in estimates, in bits): they bound what a model of that order could reach there,
and the conditional ones are too low where a column has few frames for its levels^2 pairs.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from taae.codec.bitstream.entropy_model import Codes
from taae.utils.errors import TaaeError


def load_codes(path: Path) -> dict[str, Codes]:
    """Read codes.npz: utterance -> (frames, columns)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            codes = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise TaaeError(f"{path}: no such file; run `taae decode`") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise TaaeError(f"{path}: not readable codes ({error})") from error
    if not codes or any(one.ndim != 2 or one.dtype != np.uint8 for one in codes.values()):
        raise TaaeError(f"{path}: not codes (frames, columns) of uint8 per utterance")
    return codes


def health(codes: Mapping[str, Codes], alphabet: Sequence[int], dimensions: int) -> pd.DataFrame:
    """Return a row per column of the codes.

    Columns: stage and dimension (from 1), levels, used (levels that occur), utilisation
    (used / levels), entropy_bits, perplexity (2^entropy), conditional_bits (given the same column
    of the frame before).
    """
    counts, pairs = count_codes(codes, alphabet)
    rows = []
    for column, levels in enumerate(alphabet):
        entropy = float(surprise(counts[column]).sum() / counts[column].sum())
        followed = pairs[column].sum()
        used = int((counts[column] > 0).sum())
        rows.append(
            {
                **_place(column, dimensions),
                "levels": levels,
                "used": used,
                "utilisation": used / levels,
                "entropy_bits": entropy,
                "perplexity": 2**entropy,
                "conditional_bits": float(surprise(pairs[column]).sum() / followed)
                if followed
                else np.nan,
            }
        )
    return pd.DataFrame(rows)


def histogram(codes: Mapping[str, Codes], alphabet: Sequence[int], dimensions: int) -> pd.DataFrame:
    """Return a row per column and level: stage, dimension, levels, level, count, share."""
    counts, _ = count_codes(codes, alphabet)
    return pd.DataFrame(
        [
            {
                **_place(column, dimensions),
                "levels": levels,
                "level": level,
                "count": int(counts[column, level]),
                "share": counts[column, level] / counts[column].sum(),
            }
            for column, levels in enumerate(alphabet)
            for level in range(levels)
        ]
    )


def count_codes(
    codes: Mapping[str, Codes], alphabet: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count values (columns, values) and pairs (columns, value before, value)."""
    columns, most = len(alphabet), max(alphabet)
    counts, pairs = np.zeros((columns, most)), np.zeros((columns, most, most))
    for utterance, one in codes.items():
        if one.shape[1] != columns or (one >= np.array(alphabet)).any():
            raise TaaeError(f"codes of '{utterance}': not {columns} columns of {list(alphabet)}")
        which = np.broadcast_to(np.arange(columns), one.shape)
        np.add.at(counts, (which, one), 1)
        np.add.at(pairs, (which[1:], one[:-1], one[1:]), 1)
    return counts, pairs


def surprise(counts: NDArray[np.float64], each: bool = False) -> NDArray[np.float64]:
    """Return -log2 of the shares along the last axis, times the counts unless for `each` one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -np.log2(counts / counts.sum(-1, keepdims=True))
    bits = np.where(counts > 0, bits, 0.0)
    return bits if each else bits * counts


def _place(column: int, dimensions: int) -> dict[str, int]:
    return {"stage": column // dimensions + 1, "dimension": column % dimensions + 1}
