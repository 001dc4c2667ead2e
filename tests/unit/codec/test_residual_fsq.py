"""Post-hoc residual FSQ and operating points against rational arithmetic and the 17-level grid."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taae.codec.config import Bottleneck, Rounding
from taae.codec.fsq import FSQ
from taae.codec.operating_points import (
    OWN,
    PRESET_POINTS,
    Stage,
    name_of,
    nominal_bitrate,
    stages_of,
)
from taae.codec.residual_fsq import ResidualFSQ
from taae.utils.errors import TaaeError
from tests.unit.codec import codecs
from tests.unit.codec.tokens import pack, unpack


def values_of(stages: tuple[Stage, ...]) -> set[Fraction]:
    """Every sum of one value per stage, in rational arithmetic."""
    grids = [
        [Fraction(scale) * (Fraction(2 * n, levels - 1) - 1) for n in range(levels)]
        for levels, scale in stages
    ]
    return {sum(choice, Fraction(0)) for choice in itertools.product(*grids)}


@pytest.mark.parametrize("point", ["2x15625", "4x729"])
def test_two_of_five_and_four_of_three_are_the_grid_of_seventeen(point: str) -> None:
    grid17 = {Fraction(n, 8) - 1 for n in range(17)}
    assert {value for value in values_of(PRESET_POINTS[point]) if abs(value) <= 1} == grid17
    fsq = FSQ(17).eval()
    x = torch.linspace(-4, 4, 40_001)
    off_ties = ((x.tanh() + 1) * 8 % 1 - 0.5).abs() > 1e-5
    quantized = ResidualFSQ(fsq, PRESET_POINTS[point])(x[off_ties, None])[:, 0]
    assert torch.equal(quantized, fsq(x[off_ties]))
    assert {Fraction(value) for value in quantized.tolist()} == grid17


@pytest.mark.parametrize("rounding", ["symmetric", "original", "shifted"])
@pytest.mark.parametrize("point", [*PRESET_POINTS, "7@1+3@0.3", "4@1+2@0.125"])
def test_each_stage_takes_the_value_nearest_to_what_is_left(point: str, rounding: str) -> None:
    """Oracle: greedy search over each stage's values, as fractions."""
    stages = stages_of(point)
    fsq = FSQ(16, rounding)  # type: ignore[arg-type]
    x = torch.linspace(-3, 3, 501, dtype=torch.float64)[:, None]
    codes = ResidualFSQ(fsq, stages).quantize(x)
    for bounded, row in zip(fsq.bound(x)[:, 0].tolist(), codes.tolist(), strict=True):
        left = Fraction(bounded)
        for code, (levels, scale) in zip(row, stages, strict=True):
            grid = [Fraction(scale) * (Fraction(2 * n, levels - 1) - 1) for n in range(levels)]
            nearest = min(abs(left - value) for value in grid)
            assert abs(left - grid[code]) - nearest < Fraction(1, 10**6)  # ties go either way
            left -= grid[code]


@pytest.mark.parametrize("point", ["1x46656", "2x15625", "4x729"])
def test_the_result_is_the_nearest_value_that_the_preset_has(point: str) -> None:
    values = sorted(values_of(PRESET_POINTS[point]))
    x = torch.linspace(-3, 3, 1001, dtype=torch.float64)[:, None]
    found = ResidualFSQ(FSQ(17), PRESET_POINTS[point])(x)[:, 0].tolist()
    for bounded, result in zip(x.tanh()[:, 0].tolist(), found, strict=True):
        best = min(abs(value - Fraction(bounded)) for value in values)
        assert abs(Fraction(result) - Fraction(bounded)) - best < Fraction(1, 10**6)


def test_codes_of_a_stage_stand_together_the_first_stage_first() -> None:
    x = torch.randn(2, 9, 6)
    residual = ResidualFSQ(FSQ(17), PRESET_POINTS["2x15625"])
    codes = residual.quantize(x)
    assert codes.shape == (2, 9, 12)
    assert codes.dtype == torch.int64
    assert torch.equal(codes[..., :6], FSQ(5).quantize(x))
    assert residual.dequantize(codes).shape == x.shape
    assert residual.dequantize(codes).dtype == torch.float32


@pytest.mark.parametrize(("levels", "dimensions"), [(6, 6), (5, 6), (3, 6)])
def test_every_code_of_the_presets_is_its_own_index(levels: int, dimensions: int) -> None:
    tokens = torch.arange(levels**dimensions)
    codes = unpack(tokens, levels, dimensions)
    assert len(torch.unique(codes, dim=0)) == levels**dimensions
    assert torch.equal(pack(codes, levels), tokens)


def test_every_reachable_code_decodes_and_encodes_to_itself() -> None:
    """Codes that quantize gives are fixed points of dequantize and quantize."""
    for stages in PRESET_POINTS.values():
        residual = ResidualFSQ(FSQ(17), stages).double()
        codes = residual.quantize(torch.linspace(-4, 4, 4001, dtype=torch.float64)[:, None])
        reached = torch.unique(codes, dim=0)
        values = residual.dequantize(reached).double().clamp(-1 + 1e-9, 1 - 1e-9)
        again = residual.quantize(values.atanh())
        assert torch.equal(residual.dequantize(again), residual.dequantize(reached))


@pytest.mark.parametrize(
    ("point", "expected"),
    [("1x46656", 388), ("2x15625", 697), ("4x729", 951), ("native", 613)],
)
def test_nominal_bitrates_are_the_published_ones(point: str, expected: int) -> None:
    assert round(nominal_bitrate(Bottleneck(6, 17).alphabet(stages_of(point)), 25)) == expected


@pytest.mark.parametrize("point", PRESET_POINTS)
def test_the_names_count_stages_and_codes_of_six_dimensions(point: str) -> None:
    stages = PRESET_POINTS[point]
    assert point == f"{len(stages)}x{stages[0].levels ** 6}"
    assert len({stage.levels for stage in stages}) == 1
    assert name_of(stages) == point


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(2, 255), st.floats(2.0**-13, 4, width=32)), min_size=1, max_size=5
    )
)
def test_free_stages_have_a_name_that_reads_back(pairs: list[tuple[int, float]]) -> None:
    name = name_of([Stage(*pair) for pair in pairs])
    back = stages_of(name)
    assert name_of(back) == name
    for (levels, scale), stage in zip(pairs, back, strict=True):
        assert stage.levels == levels
        assert stage.scale == pytest.approx(scale, rel=1e-5)


@pytest.mark.parametrize("point", ["", "5", "5@", "1@1", "256@1", "5@0", "5@nan", "5@1+", "x@1"])
def test_impossible_points_are_refused(point: str) -> None:
    with pytest.raises(TaaeError, match=r"operating point|stage"):
        stages_of(point)


@pytest.mark.parametrize("levels", [2, 4, 8, 255])
def test_the_trainings_own_rounding_at_other_levels_has_a_name(levels: int) -> None:
    point = f"{levels}@own"
    assert stages_of(point) == (Stage(levels, OWN),)
    assert name_of(stages_of(point)) == point
    assert Bottleneck(3, 17).alphabet(stages_of(point)) == (levels,) * 3


@pytest.mark.parametrize(
    "point", ["1@own", "256@own", "x@own", "@own", "own", "8@own+3@1", "3@1+8@own", "8@own+4@own"]
)
def test_impossible_points_of_the_own_rounding_are_refused(point: str) -> None:
    with pytest.raises(TaaeError, match=r"^operating point '.*': there are .*, LEVELS@own and"):
        stages_of(point)


@pytest.mark.parametrize("rounding", ["symmetric", "original", "shifted"])
def test_own_points_are_the_quantizer_of_the_training(rounding: Rounding) -> None:
    trained = codecs.codec(bottleneck=Bottleneck(3, 4, rounding))
    wave = 0.1 * torch.randn(2, 1600)
    own = trained.with_bottleneck(stages_of("4@own"))
    assert torch.equal(own.encode(wave), trained.encode(wave))
    assert torch.equal(own.decode(own.encode(wave)), trained.decode(trained.encode(wave)))
    sixteen, alone = trained.with_bottleneck(stages_of("16@own")), FSQ(16, rounding).eval()
    latents = trained.latents(wave)
    codes = sixteen.encode(wave)
    assert torch.equal(codes, alone.quantize(latents))
    assert torch.equal(sixteen.quantizer.dequantize(codes), alone.dequantize(codes))
    back = sixteen.with_bottleneck(())
    assert torch.equal(back.encode(wave), trained.encode(wave))


def test_original_rounding_has_no_own_point_of_two_levels() -> None:
    original = codecs.codec(bottleneck=Bottleneck(3, 4, "original"))
    with pytest.raises(TaaeError, match=r"'2@own': original rounding has no grid of 2 levels"):
        original.with_bottleneck(stages_of("2@own"))
    symmetric = codecs.codec(bottleneck=Bottleneck(3, 4, "symmetric"))
    wave = 0.1 * torch.randn(1, 1600)
    two = symmetric.with_bottleneck(stages_of("2@own"))
    # Its border is 0, where tanh changes sign.
    assert torch.equal(two.encode(wave), (symmetric.latents(wave) >= 0).long())


def test_alphabet_counts_columns() -> None:
    assert Bottleneck(2, 17).alphabet() == (17, 17)
    assert Bottleneck(2, 17).alphabet([Stage(5, 1.0), Stage(3, 0.5)]) == (5, 5, 3, 3)
    assert nominal_bitrate((2, 4, 8), 10) == pytest.approx(60)
    assert math.prod(Bottleneck(6, 17).alphabet(PRESET_POINTS["1x46656"])) == 46656
