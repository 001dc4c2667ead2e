"""The quantizer against exact rational arithmetic, closed forms and counts."""

from __future__ import annotations

import math
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

FORMS = [("symmetric", 2)] + [
    (rounding, levels) for rounding in ("symmetric", "original") for levels in range(3, 34)
]
ROUNDINGS = ("symmetric", "original")


def grid(levels: int, rounding: str) -> list[Fraction]:
    """The levels as fractions, written down from the papers' grids."""
    if rounding == "symmetric":
        return [Fraction(2 * n, levels - 1) - 1 for n in range(levels)]
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


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("levels", [5, 16, 17])
def test_hybrid_shares_are_half_noise_quarter_quantised_quarter_unquantised(
    levels: int, rounding: str
) -> None:
    torch.manual_seed(0)
    fsq = FSQ(levels, rounding, "hybrid").train()  # type: ignore[arg-type]
    x = torch.randn(20_000, 3, 6)
    out, bounded = fsq(x), fsq.bound(x)
    rounded = fsq.dequantize(fsq.quantize(x))
    is_plain = (out == bounded).flatten(1).all(1)
    is_rounded = ((out - rounded).abs() < 1e-6).flatten(1).all(1) & ~is_plain
    noisy = ~is_plain & ~is_rounded
    # 20000 draws: four standard deviations are about 0.014.
    assert noisy.double().mean().item() == pytest.approx(0.5, abs=0.015)
    assert is_plain.double().mean().item() == pytest.approx(0.25, abs=0.015)
    assert is_rounded.double().mean().item() == pytest.approx(0.25, abs=0.015)
    off = (out - bounded)[noisy].double()
    assert off.abs().max().item() <= float(step(levels, rounding)) / 2 + 1e-6
    assert off.std().item() == pytest.approx(
        float(step(levels, rounding)) / math.sqrt(12), rel=0.02
    )


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("levels", [4, 17])
def test_continuous_never_rounds_and_its_noise_has_a_scale_per_item(
    levels: int, rounding: str
) -> None:
    torch.manual_seed(0)
    fsq = FSQ(levels, rounding, "continuous").train()  # type: ignore[arg-type]
    x = torch.randn(2000, 100, 6, requires_grad=True)
    half = 1 / (levels - 1) if rounding == "symmetric" else 1 / (2 * (levels // 2))
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
