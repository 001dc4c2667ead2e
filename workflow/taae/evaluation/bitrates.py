"""What the codes of a run and operating point cost in real files, and how they use the levels.

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

from taae.codec.bitstream.container import Packet, model_fingerprint, write_taae
from taae.codec.bitstream.entropy_model import ORDERS, Codes, EntropyModel, entropy_model_path
from taae.codec.operating_points import NATIVE, nominal_bitrate, stages_of
from taae.codec.pretrained import read_config
from taae.evaluation.decoded_files import CODES, TABLE
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, read_csv, write_csv


def probe_codes(
    decoded: Path, model: Path, entropy_models: Path, output: Path, point: str = NATIVE
) -> None:
    """Code every utterance and measure how the codes are used.

    Writes to `output`:
        coded/<utterance>.taae, coded with the best of the entropy models;
        rates.csv: utterance, frames, seconds, nominal_bps, entropy_bps and conditional_bps (the
            codes' surprise under the pooled distributions of order 0 and 1), coded_order0_bps and
            coded_order1_bps, and bytes, packed and coded_bps of the file. Bits per second are of
            whole frames and, where coded, include the header;
        codebook.csv of `health` and histogram.csv of `histogram`.

    Args:
        decoded: folder that `taae decode` wrote at this operating point.
        model: folder of the model.
        entropy_models: folder that `taae entropy-models` wrote.
        point: operating point, see `taae.codec.operating_points`.

    Raises:
        TaaeError: a file does not decode to the codes that went in.
    """
    codes = load_codes(decoded / CODES)
    lengths = read_csv(decoded / TABLE, ["utterance", "samples"], ["utterance"])
    samples = dict(zip(lengths["utterance"], lengths["samples"].tolist(), strict=True))
    config, stages = read_config(model), stages_of(point)
    fingerprint = model_fingerprint(model)
    levels = config.bottleneck.alphabet(stages)
    frame_rate = config.sample_rate / config.model.hop
    fitted = {
        order: EntropyModel.load(entropy_model_path(entropy_models, point, order))
        for order in ORDERS
    }
    marginal, conditional = map(surprise, count_codes(codes, levels))
    columns = np.arange(len(levels))
    rows = []
    with atomic(output / "coded") as folder:
        for utterance, one in codes.items():
            packets = {
                order: Packet.of(
                    one,
                    levels,
                    entropy_model,
                    model=fingerprint,
                    samples=samples[utterance],
                    level=1.0,
                    stages=stages,
                )
                for order, entropy_model in fitted.items()
            }
            coded = {order: packet.to_bytes() for order, packet in packets.items()}
            for order, data in coded.items():
                back = Packet.from_bytes(data).codes(len(one), levels, fitted[order])
                if not np.array_equal(back, one):
                    raise TaaeError(f"'{utterance}': decodes to other codes (order {order})")
            best = min(coded, key=lambda order: len(coded[order]))
            write_taae(folder / f"{utterance}.taae", packets[best])
            seconds = len(one) / frame_rate
            independent = marginal[columns, one]
            following = conditional[columns, one[:-1], one[1:]]
            rows.append(
                {
                    "utterance": utterance,
                    "frames": len(one),
                    "seconds": seconds,
                    "nominal_bps": nominal_bitrate(levels, frame_rate),
                    "entropy_bps": independent.sum() / seconds,
                    "conditional_bps": (independent[:1].sum() + following.sum()) / seconds,
                    **{f"coded_order{n}_bps": 8 * len(coded[n]) / seconds for n in ORDERS},
                    "bytes": len(coded[best]),
                    "packed": not packets[best].entropy_model,
                    "coded_bps": 8 * len(coded[best]) / seconds,
                }
            )
    write_csv(health(codes, levels, config.bottleneck.dimensions), output / "codebook.csv")
    write_csv(histogram(codes, levels, config.bottleneck.dimensions), output / "histogram.csv")
    write_csv(pd.DataFrame(rows), output / "rates.csv")


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
    rows = []
    for column, (counts, pairs) in enumerate(zip(*count_codes(codes, alphabet), strict=True)):
        levels, used = alphabet[column], int((counts > 0).sum())
        entropy = float((surprise(counts) * counts).sum() / counts.sum())
        followed = float((surprise(pairs) * pairs).sum())
        rows.append(
            {
                **_place(column, dimensions),
                "levels": levels,
                "used": used,
                "utilisation": used / levels,
                "entropy_bits": entropy,
                "perplexity": 2**entropy,
                "conditional_bits": followed / pairs.sum() if pairs.any() else np.nan,
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


def surprise(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -log2 of the shares along the last axis; 0 for what does not occur."""
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -np.log2(counts / counts.sum(-1, keepdims=True))
    return np.where(counts > 0, bits, 0.0)


def _place(column: int, dimensions: int) -> dict[str, int]:
    return {"stage": column // dimensions + 1, "dimension": column % dimensions + 1}
