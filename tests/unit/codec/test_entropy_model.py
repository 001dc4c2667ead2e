"""Entropy models and packing: exact round trips, ideal lengths, files that are none."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taae.codec.bitstream import container
from taae.codec.bitstream.container import pack, unpack
from taae.codec.bitstream.entropy_model import TOTAL, Codes, EntropyModel, Order
from taae.utils.errors import TaaeError

ORDERS: tuple[Order, ...] = (0, 1)


def draw(seed: int, frames: int, levels: tuple[int, ...], skew: float = 0.0) -> Codes:
    """Codes of a first-order chain: each stays where it was with probability `skew`."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, levels, (frames, len(levels)))
    stays = rng.random(codes.shape) < skew
    for frame in range(1, frames):
        codes[frame] = np.where(stays[frame], codes[frame - 1], codes[frame])
    return codes.astype(np.uint8)


GOLDEN = (
    "bdd40100e5ed22fd9dc12ee6de480c050786ed610f6db1852d46c0354444fb5868a565b551d2ec84"
    "5946a9233b29c15a51d96e527d8eb8c5e8919ee37a4eebb73def8f457999a0f58539bb505fb3f362"
    "f632e59d0093f6e4"
)
FINGERPRINT = "4bcef16a"
ALPHABETS = st.lists(st.integers(2, 255), min_size=1, max_size=4).map(tuple)


@settings(max_examples=40, deadline=None)
@given(ALPHABETS, st.integers(0, 60), st.integers(0, 60), st.sampled_from(ORDERS), st.integers(0))
def test_range_coding_gives_back_what_went_in(
    levels: tuple[int, ...], frames: int, training: int, order: Order, seed: int
) -> None:
    model = EntropyModel.fit([draw(seed, training, levels, 0.5)], levels, order)
    codes = draw(seed + 1, frames, levels)
    assert np.array_equal(model.decode(model.encode(codes), frames), codes)


@settings(max_examples=60, deadline=None)
@given(ALPHABETS, st.integers(0, 60), st.integers(0))
def test_packing_gives_back_what_went_in_at_the_nominal_size(
    levels: tuple[int, ...], frames: int, seed: int
) -> None:
    codes = draw(seed, frames, levels)
    data = pack(codes, levels)
    assert np.array_equal(unpack(data, frames, levels), codes)
    nominal = frames * sum(math.log2(count) for count in levels)
    assert len(data) <= nominal / 8 + 1


@pytest.mark.parametrize("levels", range(2, 256))
def test_every_number_of_levels(levels: int) -> None:
    codes = np.arange(levels, dtype=np.uint8)[:, None]
    assert np.array_equal(unpack(pack(codes, (levels,)), levels, (levels,)), codes)
    model = EntropyModel.fit([codes], (levels,), 1)
    assert np.array_equal(model.decode(model.encode(codes), levels), codes)
    assert (model.frequencies.sum(2, dtype=int) == TOTAL).all()
    assert (model.frequencies > 0).all()


def test_a_block_of_packed_codes_is_a_number() -> None:
    codes = np.array([[1, 2], [3, 4]], np.uint8)
    number = 1 + 5 * (2 + 7 * (3 + 5 * 4))
    assert pack(codes, (5, 7)) == number.to_bytes(2, "little")


def test_many_blocks() -> None:
    levels = (17, 16, 3)
    codes = draw(0, 2 * container.BLOCK + 7, levels, 0.5)
    assert np.array_equal(unpack(pack(codes, levels), len(codes), levels), codes)
    for order in ORDERS:
        model = EntropyModel.fit([codes], levels, order)
        assert np.array_equal(model.decode(model.encode(codes), len(codes)), codes)


@pytest.mark.parametrize("order", ORDERS)
def test_the_model_is_the_smoothed_counts(order: Order) -> None:
    """Oracle: the formula of the docstring in plain loops."""
    levels = (3, 2)
    codes = [draw(seed, 50, levels, 0.6) for seed in range(3)]
    model = EntropyModel.fit(codes, levels, order)
    for column, count in enumerate(levels):
        seen = [one[:, column].tolist() for one in codes]
        flat = list(itertools.chain(*seen))
        marginal = [(flat.count(value) + 1) / (len(flat) + count) for value in range(count)]
        expected = [marginal]
        if order == 1:
            pairs = [pair for one in seen for pair in itertools.pairwise(one)]
            for before in range(count):
                following = [now for was, now in pairs if was == before]
                expected.append(
                    [
                        (following.count(value) + count * marginal[value])
                        / (len(following) + count)
                        for value in range(count)
                    ]
                )
        found = model.frequencies[column, : len(expected), :count] / TOTAL
        np.testing.assert_allclose(found, expected, atol=2 / TOTAL * count)


@pytest.mark.parametrize("order", ORDERS)
def test_the_coded_length_is_the_ideal_one_and_a_word(order: Order) -> None:
    levels = (17,) * 6
    model = EntropyModel.fit([draw(0, 2000, levels, 0.7)], levels, order)
    codes = draw(1, 500, levels, 0.7)
    probabilities = []
    for column in range(6):
        before = 0
        for code in codes[:, column].tolist():
            probabilities.append(model.frequencies[column, before, code] / TOTAL)
            before = code + 1 if order == 1 else 0
    ideal = -sum(map(math.log2, probabilities))
    assert ideal - 1 <= 8 * len(model.encode(codes)) <= ideal * 1.001 + 64


def test_context_pays_where_neighbours_are_alike_and_order_0_where_levels_are_not() -> None:
    levels = (17,) * 4
    nominal = 500 * 4 * math.log2(17)
    alike, training = draw(1, 500, levels, 0.8), [draw(0, 4000, levels, 0.8)]
    sizes = [8 * len(EntropyModel.fit(training, levels, order).encode(alike)) for order in ORDERS]
    assert sizes[1] < 0.6 * nominal < 0.95 * nominal < sizes[0]
    lopsided = np.minimum(draw(2, 500, levels), draw(3, 500, levels))
    many = [np.minimum(draw(4, 4000, levels), draw(5, 4000, levels))]
    assert 8 * len(EntropyModel.fit(many, levels, 0).encode(lopsided)) < 0.98 * nominal


def test_another_process_decodes_the_same(tmp_path: Path) -> None:
    levels = (17, 16, 5)
    model = EntropyModel.fit([draw(0, 300, levels, 0.6)], levels, 1)
    codes = draw(1, 200, levels, 0.6)
    model.save(tmp_path / "model.npz")
    (tmp_path / "data").write_bytes(model.encode(codes))
    code = (
        "import sys; from pathlib import Path\n"
        "from taae.codec.bitstream.entropy_model import EntropyModel\n"
        "folder = Path(sys.argv[1])\n"
        "model = EntropyModel.load(folder / 'model.npz')\n"
        "codes = model.decode((folder / 'data').read_bytes(), 200)\n"
        "(folder / 'back').write_bytes(codes.tobytes())\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert (tmp_path / "back").read_bytes() == codes.tobytes()


def test_the_bytes_are_the_same_on_every_machine() -> None:
    """What another machine once wrote: a change of it would orphan every .taae file."""
    frequencies = np.zeros((2, 4, 3), np.uint16)
    frequencies[0] = [[40000, 20000, 5536], [65534, 1, 1], [1, 65534, 1], [21845, 21845, 21846]]
    frequencies[1] = [[3, 65530, 3], [30000, 30000, 5536], [11111, 22222, 32203], [2, 2, 65532]]
    model = EntropyModel((3, 3), frequencies)
    codes = np.array([[(n * n + c * n) % 3 for c in range(2)] for n in range(40)], np.uint8)
    assert np.array_equal(model.decode(model.encode(codes), 40), codes)
    assert model.encode(codes).hex() == GOLDEN
    assert model.fingerprint.hex() == FINGERPRINT


def test_models_are_saved_and_told_apart(tmp_path: Path) -> None:
    levels = (5, 7)
    models = [
        EntropyModel.fit([draw(n, 50, levels)], levels, order) for n in (0, 1) for order in (0, 1)
    ]
    assert len({model.fingerprint for model in models}) == 4
    for model in models:
        model.save(tmp_path / "m.npz")
        back = EntropyModel.load(tmp_path / "m.npz")
        assert back.levels == levels
        assert back.order == model.order
        assert np.array_equal(back.frequencies, model.frequencies)
        assert back.fingerprint == model.fingerprint


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    with pytest.raises(TaaeError, match="no such file"):
        EntropyModel.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(TaaeError, match="not an entropy model"):
        EntropyModel.load(path)
    np.savez(path, levels=np.array([3], np.uint8))
    with pytest.raises(TaaeError, match="not an entropy model"):
        EntropyModel.load(path)
    np.savez(path, levels=np.array([3], np.uint8), frequencies=np.ones((1, 1, 3), np.uint16))
    with pytest.raises(TaaeError, match="sum"):
        EntropyModel.load(path)
    np.savez(path, levels=np.array([3], np.uint8), frequencies=np.ones((2, 1, 3), np.uint16))
    with pytest.raises(TaaeError, match="not an entropy model"):
        EntropyModel.load(path)


def test_codes_of_another_alphabet_are_refused() -> None:
    model = EntropyModel.fit([], (5, 5), 0)
    for codes in (np.zeros((3, 3)), np.full((3, 2), 5), np.zeros(3)):
        with pytest.raises(TaaeError, match="another codec"):
            model.encode(codes.astype(np.uint8))
    with pytest.raises(TaaeError, match="frames"):
        unpack(b"12345", 3, (5, 5))
