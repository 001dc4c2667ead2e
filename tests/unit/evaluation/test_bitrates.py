"""Codebook health against closed forms."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy

from taae.codec.bitstream.entropy_model import ORDERS, EntropyModel, entropy_model_path
from taae.codec.operating_points import NATIVE
from taae.evaluation.bitrates import health, histogram, load_codes, probe_codes
from taae.utils.errors import TaaeError
from tests.unit.codec.codecs import BOTTLENECK, codec


def test_a_chain_with_known_entropies() -> None:
    """0 1 2 3 0 1 2 3 ...: two bits alone, none after the frame before."""
    codes = {"a": np.tile(np.arange(4, dtype=np.uint8), 25)[:, None]}
    (row,) = health(codes, (8,), 1).to_dict("records")
    assert (row["stage"], row["dimension"], row["levels"], row["used"]) == (1, 1, 8, 4)
    assert row["utilisation"] == 0.5
    assert row["entropy_bits"] == pytest.approx(2)
    assert row["perplexity"] == pytest.approx(4)
    assert row["conditional_bits"] == pytest.approx(0)


def test_entropies_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    codes = {name: rng.binomial(4, 0.3, (200, 2)).astype(np.uint8) for name in "ab"}
    table = health(codes, (5, 6), 1)
    assert table["stage"].tolist() == [1, 2]
    for column in range(2):
        counts = np.bincount(np.concatenate([one[:, column] for one in codes.values()]))
        assert table["entropy_bits"][column] == pytest.approx(entropy(counts, base=2))
        pairs = np.zeros((6, 6))
        for one in codes.values():
            for before, now in zip(one[:-1, column], one[1:, column], strict=True):
                pairs[before, now] += 1
        conditional = entropy(pairs.ravel(), base=2) - entropy(pairs.sum(1), base=2)
        assert table["conditional_bits"][column] == pytest.approx(conditional)


def test_the_histogram_has_every_level() -> None:
    table = histogram({"a": np.array([[0, 2], [0, 1], [2, 1]], np.uint8)}, (3, 4), 2)
    assert table["count"].tolist() == [2, 0, 1, 0, 2, 1, 0]
    assert table["dimension"].tolist() == [1] * 3 + [2] * 4
    assert table.groupby("dimension")["share"].sum().tolist() == pytest.approx([1, 1])


def test_one_frame_has_no_frame_before() -> None:
    table = health({"a": np.zeros((1, 1), np.uint8)}, (3,), 1)
    assert math.isnan(table["conditional_bits"][0])


def test_entropy_rates_add_up_to_the_pooled_entropy(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    codes = {
        name: rng.binomial(16, 0.5, (frames, 3)).astype(np.uint8)
        for name, frames in (("a", 100), ("b", 50), ("c", 1))
    }
    levels = (17,) * 3
    one = codec(bottleneck=replace(BOTTLENECK, dimensions=3, levels=17))
    one.save_pretrained(tmp_path / "model")
    for order in ORDERS:
        fitted = EntropyModel.fit(codes.values(), levels, order)
        fitted.save(entropy_model_path(tmp_path / "models", NATIVE, order))
    np.savez(tmp_path / "codes.npz", **codes)  # type: ignore[arg-type]
    rows = [f"{name},{len(each) * one.hop}" for name, each in codes.items()]
    (tmp_path / "utterances.csv").write_text("\n".join(["utterance,samples", *rows]))
    probe_codes(tmp_path, tmp_path / "model", tmp_path / "models", tmp_path)
    table = pd.read_csv(tmp_path / "rates.csv")
    bits = (table["entropy_bps"] * table["seconds"]).sum()
    assert bits == pytest.approx(health(codes, levels, 3)["entropy_bits"].sum() * 151)
    nominal = 16_000 / one.hop * 3 * math.log2(17)
    assert table["nominal_bps"].to_numpy() == pytest.approx(nominal)
    both = table[["coded_order0_bps", "coded_order1_bps"]]
    assert table["coded_bps"].tolist() == both.min(axis=1).tolist()
    assert table["coded_bps"][0] * table["seconds"][0] < nominal * table["seconds"][0] + 27 * 8


def test_what_are_no_codes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "codes.npz"
    with pytest.raises(TaaeError, match="run `taae decode`"):
        load_codes(path)
    path.write_bytes(b"x")
    with pytest.raises(TaaeError, match="not readable"):
        load_codes(path)
    np.savez(path, a=np.zeros((3, 2)))
    with pytest.raises(TaaeError, match="not codes"):
        load_codes(path)
    with pytest.raises(TaaeError, match="codes of 'a'"):
        health({"a": np.full((3, 1), 9, np.uint8)}, (9,), 1)
