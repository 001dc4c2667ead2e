"""The figures of rate and distortion and of the codebook show the numbers of their tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from taae.analysis.figures import codebook, rate_distortion
from taae.evaluation.codebook import histogram

METRICS = ["si_sdr", "stoi", "estoi"]


def summary() -> pd.DataFrame:
    rows = [
        {
            "variant": variant,
            "point": point,
            "bitrate": bitrate,
            "metric": metric,
            "mean": mean + bitrate / 1e4,
            "low": mean - 0.1,
            "high": mean + 0.3,
            "confidence": 0.9,
        }
        for variant, mean in (("baseline", 0.5), ("even", 0.4))
        for point, bitrate in (("4x729", 3804.0), ("native", 2452.0), ("1x46656", 1551.0))
        for metric in METRICS
    ]
    return pd.DataFrame(rows)


def levels_table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    tables = []
    for variant, levels in (("baseline", 5), ("even", 4)):
        codes = {"a": rng.integers(0, levels, (500, 6)).astype(np.uint8)}
        codes["a"][:, 0] = 1
        tables.append(
            histogram(codes, (levels,) * 6, 3).assign(variant=variant, seed=2, point="native")
        )
    return pd.concat(tables, ignore_index=True)


def drawn(module: object, draw: Callable[[], None]) -> Figure:
    with mock.patch.object(module, "save") as save:
        draw()
    figure: Figure = save.call_args.args[0]
    return figure


def test_figures_are_written_and_the_same_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        rate_distortion.rate_distortion_figure(summary(), tmp_path / name / "rates")
        codebook.codebook_figure(levels_table(), 2, tmp_path / name / "codebook")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["codebook.pdf", "codebook.png", "rates.pdf", "rates.png"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_line_per_variant_in_the_order_of_the_bitrate() -> None:
    table = summary()
    figure = drawn(
        rate_distortion, lambda: rate_distortion.rate_distortion_figure(table, Path("x"))
    )
    for axis, metric in zip(figure.axes, METRICS, strict=False):
        rows = table[table["metric"] == metric]
        lines = [line for line in axis.lines if len(line.get_xdata()) == 3]
        assert len(lines) == 2
        assert lines[-1].get_color() == rate_distortion.BLACK  # the first variant, on top
        for line, (_, expected) in zip(reversed(lines), rows.groupby("variant"), strict=True):
            expected = expected.sort_values("bitrate")
            assert list(line.get_xdata()) == expected["bitrate"].tolist()
            assert list(line.get_ydata()) == expected["mean"].tolist()
        for line in axis.lines:
            if len(line.get_xdata()) == 1 and line.get_color() != rate_distortion.GREY:
                native = line.get_xdata()[0] == 2452
                assert (line.get_markerfacecolor() != "white") == native


def test_published_values_are_grey_marks_with_their_caveat() -> None:
    figure = drawn(
        rate_distortion, lambda: rate_distortion.rate_distortion_figure(summary(), Path("x"))
    )
    marks = {
        (axis.get_title(loc="left").split(" ")[0], line.get_xdata()[0], line.get_ydata()[0])
        for axis in figure.axes
        for line in axis.lines
        if line.get_color() == rate_distortion.GREY
    }
    expected = {("SI-SDR", 400, 3.18), ("SI-SDR", 700, 4.73), ("SI-SDR", 1100, 2.2)}
    expected |= {("SI-SDR", 1000, -6.51), ("STOI", 400, 0.9), ("STOI", 700, 0.92)}
    expected |= {("STOI", 1100, 0.9)}
    assert marks == expected
    assert "other data" in figure.get_suptitle()
    plain = drawn(
        rate_distortion,
        lambda: rate_distortion.rate_distortion_figure(summary(), Path("x"), published=()),
    )
    assert "published" not in plain.get_suptitle()
    # What the title explains is in the figure: no value here has an unsure definition.
    assert "90% interval" in plain.get_suptitle()
    assert "hollow grey" not in figure.get_suptitle()
    unsure = summary().assign(metric="pesq_nb")
    again = drawn(
        rate_distortion, lambda: rate_distortion.rate_distortion_figure(unsure, Path("x"))
    )
    assert "hollow grey" in again.get_suptitle()


def test_variants_look_different_and_the_first_alone_is_black() -> None:
    looks = rate_distortion._looks()
    assert len(set(looks)) == len(looks) >= 20
    assert [colour for colour, _ in looks].count(rate_distortion.BLACK) == 1


def test_the_heat_map_is_the_share_over_the_uniform_one_and_the_text_its_perplexity() -> None:
    table = levels_table()
    figure = drawn(codebook, lambda: codebook.codebook_figure(table, 2, Path("x")))
    for axis, (variant, rows) in zip(figure.axes, table.groupby("variant"), strict=False):
        assert axis.get_title(loc="left") == variant
        shown = np.asarray(axis.images[0].get_array())
        levels = rows["levels"].iloc[0]
        expected = rows["share"].to_numpy().reshape(6, levels) * levels
        np.testing.assert_allclose(shown, expected)
        perplexity = [float(text.get_text()) for text in axis.texts]
        assert perplexity == pytest.approx([1, *[levels] * 5], abs=0.1)
