"""Coded files and bits per second: every utterance of a run and operating point, really coded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from taae.codec.bitstream.container import Packet, model_fingerprint, write_taae
from taae.codec.bitstream.entropy_model import (
    ORDERS,
    Codes,
    EntropyModel,
    Order,
    entropy_model_path,
)
from taae.codec.operating_points import Stage, nominal_bitrate, stages_of
from taae.codec.pretrained import read_config
from taae.evaluation.codebook import count_codes, health, histogram, load_codes, surprise
from taae.evaluation.decoded import CODES, TABLE
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, read_csv, write_csv


def probe_codes(decoded: Path, model: Path, entropy_models: Path, point: str, output: Path) -> None:
    """Code every utterance and measure how the codes are used.

    Writes to `output`: coded/<utterance>.taae, rates.csv (of `rates`), codebook.csv and
    histogram.csv (of `taae.evaluation.codebook`).

    Args:
        decoded: folder that `taae decode` wrote at this operating point.
        model: folder of the model.
        entropy_models: folder that `taae entropy-models` wrote.
        point: operating point, see `taae.codec.operating_points`.
    """
    codes = load_codes(decoded / CODES)
    lengths = read_csv(decoded / TABLE, ["utterance", "samples"], ["utterance"])
    config = read_config(model)
    dimensions, stages = config.bottleneck.dimensions, stages_of(point)
    values = config.bottleneck.alphabet(stages)
    with atomic(output / "coded") as folder:
        table = rates(
            codes,
            dict(zip(lengths["utterance"], lengths["samples"].tolist(), strict=True)),
            values,
            config.sample_rate / config.model.hop,
            {
                order: EntropyModel.load(entropy_model_path(entropy_models, point, order))
                for order in ORDERS
            },
            model=model_fingerprint(model),
            stages=stages,
            folder=folder,
        )
    write_csv(health(codes, values, dimensions), output / "codebook.csv")
    write_csv(histogram(codes, values, dimensions), output / "histogram.csv")
    write_csv(table, output / "rates.csv")


def rates(
    codes: Mapping[str, Codes],
    samples: Mapping[str, int],
    alphabet: Sequence[int],
    frame_rate: float,
    entropy_models: Mapping[Order, EntropyModel],
    *,
    model: bytes,
    stages: tuple[Stage, ...],
    folder: Path,
) -> pd.DataFrame:
    """Write `folder`/<utterance>.taae, coded with the best of the entropy models.

    Each is decoded again and compared. Bits per second are of whole frames and, where coded,
    include the header.

    Args:
        samples: utterance -> its length.
        alphabet: values of each column of the codes.
        frame_rate: latents/s.
        entropy_models: order -> model, fitted on training data.
        model, stages: of `taae.codec.bitstream.container.Packet`.

    Returns:
        A row per utterance: utterance, frames, seconds, nominal_bps, entropy_bps and
        conditional_bps (the codes' surprise under the pooled distributions of order 0 and 1),
        coded_order0_bps and coded_order1_bps, and bytes, packed and coded_bps of the file.

    Raises:
        TaaeError: a file does not decode to the codes that went in.
    """
    counts, pairs = count_codes(codes, alphabet)
    marginal, conditional = surprise(counts, each=True), surprise(pairs, each=True)
    which = np.arange(len(alphabet))
    rows = []
    for utterance, one in codes.items():
        packets: dict[Order, Packet] = {}
        for order, entropy_model in entropy_models.items():
            packet = Packet.of(
                one,
                alphabet,
                entropy_model,
                model=model,
                samples=samples[utterance],
                level=1.0,
                stages=stages,
            )
            back = Packet.from_bytes(packet.to_bytes()).codes(len(one), alphabet, entropy_model)
            if not np.array_equal(back, one):
                raise TaaeError(f"'{utterance}': its file decodes to other codes (order {order})")
            packets[order] = packet
        best = min(packets.values(), key=lambda packet: len(packet.to_bytes()))
        write_taae(folder / f"{utterance}.taae", best)
        seconds = len(one) / frame_rate
        independent = marginal[which, one]
        following = conditional[which, one[:-1], one[1:]]
        size = len(best.to_bytes())
        rows.append(
            {
                "utterance": utterance,
                "frames": len(one),
                "seconds": seconds,
                "nominal_bps": nominal_bitrate(alphabet, frame_rate),
                "entropy_bps": independent.sum() / seconds,
                "conditional_bps": (independent[:1].sum() + following.sum()) / seconds,
                **{
                    f"coded_order{order}_bps": 8 * len(packet.to_bytes()) / seconds
                    for order, packet in packets.items()
                },
                "bytes": size,
                "packed": not best.entropy_model,
                "coded_bps": 8 * size / seconds,
            }
        )
    return pd.DataFrame(rows)
