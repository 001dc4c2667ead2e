"""The quantizer against exact rational arithmetic, closed forms and counts."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from taae.codec.config import Bottleneck
from taae.codec.fsq import EPSILON, FSQ, nearest, step
from taae.training.config import Variant
from taae.utils.errors import TaaeError
from taae.utils.settings import validate
from tests.unit.codec.tokens import pack, unpack

ROUNDINGS = ("symmetric", "original", "shifted")
FORMS = [("symmetric", 2), ("shifted", 2)]
FORMS += [(rounding, levels) for rounding in ROUNDINGS for levels in range(3, 34)]


def grid(levels: int, rounding: str) -> list[Fraction]:
    """The levels as fractions, written down from the papers' grids."""
    if rounding != "original":
        shift = Fraction(1, levels - 1) if rounding == "shifted" else Fraction(0)
        return [Fraction(2 * n, levels - 1) - 1 + shift for n in range(levels)]
    half = levels // 2
    return [Fraction(n - half, half) for n in range(levels)]


@pytest.mark.parametrize(("rounding", "levels"), FORMS)
def test_levels_are_the_exact_grid_and_each_is_its_own_code(rounding: str, levels: int) -> None:
    fsq = FSQ(levels, rounding)  # type: ignore[arg-type]
    codes = torch.arange(levels)
    values = fsq.dequantize(codes)
    exact = torch.tensor([float(level) for level in grid(levels, rounding)])
    torch.testing.assert_close(values, exact, rtol=0, atol=1e-6)
    assert torch.equal(nearest(exact.double(), levels, rounding).long(), codes)


@pytest.mark.parametrize(("rounding", "levels"), FORMS)
def test_rounding_takes_the_nearest_level(rounding: str, levels: int) -> None:
    """Oracle: search over the grid in rational arithmetic, for bounded values off the ties."""
    fsq = FSQ(levels, rounding)  # type: ignore[arg-type]
    x = torch.linspace(-4, 4, 1000, dtype=torch.float64)
    bounded = fsq.bound(x)
    levels_exact = grid(levels, rounding)
    expected = [
        min(range(levels), key=lambda n: abs(levels_exact[n] - Fraction(float(b)))) for b in bounded
    ]
    assert fsq.quantize(x).tolist() == expected


@pytest.mark.parametrize("levels", range(3, 34))
def test_original_bound_is_the_published_formula(levels: int) -> None:
    fsq = FSQ(levels, "original")
    for x in (-3.0, -0.7, 0.0, 0.2, 2.5):
        half = (levels - 1) * (1 - EPSILON) / 2
        offset = 0.5 if levels % 2 == 0 else 0.0
        expected = (math.tanh(x + math.atanh(offset / half)) * half - offset) / (levels // 2)
        assert fsq.bound(torch.tensor(x, dtype=torch.float64)).item() == pytest.approx(expected)
    assert fsq.bound(torch.zeros(1, dtype=torch.float64)).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("levels", range(2, 34))
def test_shifted_bound_is_the_symmetric_one_half_a_step_higher(levels: int) -> None:
    shifted, symmetric = FSQ(levels, "shifted"), FSQ(levels, "symmetric")
    x = torch.linspace(-3, 3, 1000, dtype=torch.float64)  # 0 is half-way between levels
    expected = [math.tanh(value) + 1 / (levels - 1) for value in x.tolist()]
    torch.testing.assert_close(shifted.bound(x), torch.tensor(expected, dtype=torch.float64))
    assert torch.equal(shifted.quantize(x), symmetric.quantize(x))
    off = shifted.eval()(x) - symmetric.eval()(x)
    torch.testing.assert_close(off, torch.full_like(off, 1 / (levels - 1)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("levels", range(4, 34, 2))
def test_original_levels_are_the_symmetric_ones_scaled_and_lower(levels: int) -> None:
    """What the module says of even L: times (L-1)/L, and lower by 1/L."""
    moved = [
        level * Fraction(levels - 1, levels) - Fraction(1, levels)
        for level in grid(levels, "symmetric")
    ]
    assert moved == grid(levels, "original")
    assert 0 in grid(levels, "shifted")
    assert 0 not in grid(levels, "symmetric")


@pytest.mark.parametrize(("rounding", "levels"), FORMS)
def test_codes_reach_both_ends_and_no_further(rounding: str, levels: int) -> None:
    far = torch.tensor([-50.0, 50.0])
    assert FSQ(levels, rounding).quantize(far).tolist() == [0, levels - 1]  # type: ignore[arg-type]


def test_the_roundings_differ_at_even_levels_alone() -> None:
    x = torch.linspace(-3, 3, 10_001, dtype=torch.float64)
    for levels in range(3, 34):
        one, other = FSQ(levels, "symmetric").eval()(x), FSQ(levels, "original").eval()(x)
        apart = ((one - other).abs() > 1e-9).double().mean().item()
        if levels % 2:
            assert apart < 0.05  # epsilon moves the borders between levels a little
        else:
            assert apart > 0.5


SHARES = [(0.5, 0.25, 0.25), (0.5, 0.0, 0.5), (0.2, 0.7, 0.1), (0.0, 0.5, 0.5)]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize(("levels", "shares"), [(5, SHARES[0]), *((16, each) for each in SHARES)])
def test_hybrid_draws_noise_nothing_and_rounding_by_their_shares(
    levels: int, shares: tuple[float, float, float], rounding: str
) -> None:
    torch.manual_seed(0)
    fsq = FSQ(levels, rounding, "hybrid", shares=shares).train()  # type: ignore[arg-type]
    x = torch.randn(20_000, 3, 6)
    out, bounded = fsq(x), fsq.bound(x)
    rounded = fsq.dequantize(fsq.quantize(x))
    is_plain = (out == bounded).flatten(1).all(1)
    is_rounded = ((out - rounded).abs() < 1e-6).flatten(1).all(1) & ~is_plain
    noisy = ~is_plain & ~is_rounded
    # 20000 draws: four standard deviations are about 0.014.
    found = (kind.double().mean().item() for kind in (noisy, is_plain, is_rounded))
    for share, expected in zip(found, shares, strict=True):
        assert share == (pytest.approx(expected, abs=0.015) if expected else 0)
    if not shares[0]:
        return
    off = (out - bounded)[noisy].double()
    assert off.abs().max().item() <= float(step(levels, rounding)) / 2 + 1e-6
    assert off.std().item() == pytest.approx(
        float(step(levels, rounding)) / math.sqrt(12), rel=0.02
    )


@pytest.mark.parametrize("mode", ["noise", "ste"])
def test_a_whole_share_is_that_training_alone(mode: str) -> None:
    x = torch.randn(500, 3, 6)
    shares = (1.0, 0.0, 0.0) if mode == "noise" else (0.0, 0.0, 1.0)
    outputs = []
    for fsq in (FSQ(6, training="hybrid", shares=shares), FSQ(6, training=mode)):  # type: ignore[arg-type]
        torch.manual_seed(0)
        outputs.append(fsq.train()(x))
    assert torch.equal(*outputs)


def test_the_default_shares_take_the_draws_that_they_always_took() -> None:
    """Levels, noise, then a coin for nothing or rounding and a coin for noise: the same models."""
    x = torch.randn(64, 5, 6)
    torch.manual_seed(4)
    out = FSQ(17, random_levels=(4, 8)).train()(x)
    torch.manual_seed(4)
    levels = torch.tensor([4, 8])[(torch.rand(1, 64, 1, 1)[0] * 2).long()]
    noise = (torch.rand(1, 64, 5, 6)[0] - 0.5) * 2 / (levels - 1)
    nothing, noisy = (torch.rand(1, 64, 1, 1)[0] < 0.5 for _ in range(2))
    bounded = x.tanh()
    rounded = (((levels - 1) * (bounded + 1) / 2 + 0.5).floor()) * 2 / (levels - 1) - 1
    expected = torch.where(noisy, bounded + noise, torch.where(nothing, bounded, rounded))
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("levels", [4, 17])
def test_continuous_never_rounds_and_its_noise_has_a_scale_per_item(
    levels: int, rounding: str
) -> None:
    torch.manual_seed(0)
    fsq = FSQ(levels, rounding, "continuous").train()  # type: ignore[arg-type]
    x = torch.randn(2000, 100, 6, requires_grad=True)
    half = 1 / (2 * (levels // 2)) if rounding == "original" else 1 / (levels - 1)
    out, bounded = fsq(x), fsq.bound(x)
    (gradient,) = torch.autograd.grad(out.sum(), x, retain_graph=True)
    (slope,) = torch.autograd.grad(bounded.sum(), x)
    torch.testing.assert_close(gradient, slope)
    off = (out - bounded).detach().double() / half
    assert off.abs().max().item() <= 1 + 1e-5
    exact = torch.tensor([float(value) for value in grid(levels, rounding)])
    to_grid = (out[:50, ..., None] - exact).abs().amin(-1)
    assert (to_grid < 1e-4).double().mean().item() < 0.01
    # Uniform noise of scale c has a standard deviation of c / sqrt(3); c is uniform over items.
    scales, _ = (off.flatten(1).std(1) * math.sqrt(3)).sort()
    uniform = torch.linspace(0, 1, len(scales), dtype=torch.float64)
    assert (scales - uniform).abs().max().item() < 0.06


@pytest.mark.parametrize("mode", ["ste", "noise"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("levels", [3, 16, 17])
def test_gradient_is_that_of_the_bound(levels: int, rounding: str, mode: str) -> None:
    """Closed form: d tanh(x + s)/dx = 1 - tanh^2, times h / floor(L/2) in the original form."""
    fsq = FSQ(levels, rounding, mode).train()  # type: ignore[arg-type]
    x = torch.randn(4, 7, dtype=torch.float64, requires_grad=True)
    fsq(x).sum().backward()
    shift, scale = 0.0, 1.0
    if rounding == "original":
        half = (levels - 1) * (1 - EPSILON) / 2
        shift = math.atanh((0.5 if levels % 2 == 0 else 0.0) / half)
        scale = half / (levels // 2)
    expected = (1 - (x.detach() + shift).tanh() ** 2) * scale
    assert x.grad is not None
    torch.testing.assert_close(x.grad, expected)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_evaluation_rounds_whatever_the_training_mode(rounding: str) -> None:
    x = torch.randn(2, 50, 6)
    for mode in ("hybrid", "ste", "noise", "continuous"):
        fsq = FSQ(16, rounding, mode).eval()  # type: ignore[arg-type]
        torch.testing.assert_close(fsq(x), fsq.dequantize(fsq.quantize(x)))


def test_autocast_changes_nothing() -> None:
    fsq, x = FSQ(17).eval(), torch.randn(3, 100, 6)
    with torch.autocast("cpu", torch.bfloat16):
        inside = fsq(x)
        assert fsq(x.bfloat16()).dtype == torch.float32
    assert torch.equal(inside, fsq(x))


def test_packing_is_exact_where_float32_is_not() -> None:
    torch.manual_seed(0)
    codes = torch.randint(0, 17, (1_000_000, 6))
    tokens = pack(codes, 17)
    assert torch.equal(unpack(tokens, 17, 6), codes)
    places = torch.tensor([17.0**place for place in range(6)])
    assert (((codes.float() * places).sum(-1)).long() != tokens).any()


@given(st.integers(2, 12), st.integers(1, 6), st.randoms(use_true_random=False))
def test_packing_reads_as_a_number(levels: int, dimensions: int, random) -> None:  # type: ignore[no-untyped-def]
    digits = [random.randrange(levels) for _ in range(dimensions)]
    token = pack(torch.tensor(digits), levels).item()
    assert token == sum(digit * levels**place for place, digit in enumerate(digits))
    assert unpack(torch.tensor(token), levels, dimensions).tolist() == digits


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(TaaeError, match="levels: 1 should be greater than or equal to 2"):
        validate(Bottleneck, {"levels": 1})
    with pytest.raises(TaaeError, match="not defined"):
        Variant(bottleneck=Bottleneck(levels=2, rounding="original")).check()
    with pytest.raises(TaaeError, match="rounding"):
        validate(Bottleneck, {"rounding": "nearest"})
    with pytest.raises(TaaeError, match="training"):
        validate(Bottleneck, {"training": "none"})
    for shares, why in (
        ([0.5, 0.5], "at least 3 items"),
        ([0.5, 0.6, -0.1], r"shares\.2: -0\.1"),
        ([0.5, 0.5, 0.5], "sum to 1, not 1.5"),
    ):
        with pytest.raises(TaaeError, match=why):
            validate(Bottleneck, {"shares": shares})
    with pytest.raises(ValueError, match="64 bits"):
        pack(torch.zeros(20, dtype=torch.long), 17)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("mode", ["ste", "noise"])
def test_random_levels_are_drawn_for_each_item_and_evenly(mode: str, rounding: str) -> None:
    """Oracle: the quantizer of each level count alone, and the width of its noise."""
    torch.manual_seed(0)
    choices = (5, 9, 16)
    fsq = FSQ(17, rounding, mode, choices).train()  # type: ignore[arg-type]
    x = torch.randn(6000, 40)
    out = fsq(x)
    matches = []
    for levels in choices:
        alone = FSQ(levels, rounding, mode).eval()  # type: ignore[arg-type]
        reach = 1e-5 if mode == "ste" else float(step(levels, rounding)) / 2 + 1e-5
        target = alone(x) if mode == "ste" else alone.bound(x)
        matches.append(((out - target).abs() <= reach).all(1))
    if mode == "noise":  # narrower noise also lies within the wider one
        five, nine, sixteen = matches
        matches = [five & ~nine & ~sixteen, nine & ~sixteen, sixteen]
    found = torch.stack(matches)
    assert found.any(0).all()
    # 6000 draws: four standard deviations are about 0.024.
    for share in found.double().mean(1).tolist():
        assert share == pytest.approx(1 / 3, abs=0.025)


def test_random_levels_leave_evaluation_alone() -> None:
    x = torch.randn(5, 20, 6)
    assert torch.equal(FSQ(17, random_levels=(5, 9)).eval()(x), FSQ(17).eval()(x))
    hybrid = FSQ(17, random_levels=(5, 9)).train()(x.requires_grad_())
    hybrid.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, 1 - x.detach().tanh() ** 2)


def test_shares_play_no_part_in_another_training_than_hybrid() -> None:
    paper = Bottleneck(shares=[0.5, 0.0, 0.5])
    assert paper.effective() == paper != Bottleneck()
    for training in ("ste", "noise", "continuous"):
        other = Bottleneck(training=training)  # type: ignore[arg-type]
        assert replace(other, shares=paper.shares).effective() == other
        x = torch.randn(8, 3, 6)
        outputs = []
        for shares in (paper.shares, other.shares):
            torch.manual_seed(0)
            fsq = FSQ(4, training=training, shares=shares)  # type: ignore[arg-type]
            outputs.append(fsq.train()(x))
        assert torch.equal(*outputs)


def test_impossible_random_levels_are_refused() -> None:
    with pytest.raises(TaaeError, match=r"random_levels\.1: 1 should be"):
        validate(Bottleneck, {"random_levels": [5, 1]})
    with pytest.raises(TaaeError, match="random_levels: original"):
        Variant(bottleneck=Bottleneck(rounding="original", random_levels=[2, 5])).check()


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("mode", ["ste", "noise"])
def test_gradient_agrees_with_finite_differences_of_the_surrogate(mode: str, rounding: str) -> None:
    """The gradient that passes is that of b; b is what finite differences can see."""
    fsq = FSQ(16, rounding, mode).train()  # type: ignore[arg-type]
    x = torch.linspace(-2, 2, 41, dtype=torch.float64)[:, None].requires_grad_()
    fsq(x).sum().backward()
    h = 1e-6
    slope = (fsq.bound(x.detach() + h) - fsq.bound(x.detach() - h)) / (2 * h)
    assert x.grad is not None
    torch.testing.assert_close(x.grad, slope, rtol=1e-6, atol=1e-8)
