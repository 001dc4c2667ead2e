"""The figures of rate and distortion and of the codebook show the numbers of their tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from taae.analysis.figures import rate_distortion
from taae.analysis.figures.study import codebook
from taae.analysis.figures.style import BLACK, GREY, save, styled
from taae.evaluation.bitrates import histogram
from taae.evaluation.other_codecs.config import DacSettings, OpusSettings
from tests.unit.analysis.fake_scores import study

METRICS = ["si_sdr", "stoi", "estoi"]


STUDY = replace(
    study(),
    seeds=[2, 3],
    codecs={
        "opus-6k": OpusSettings("opus", bitrate=6000),
        "dac": DacSettings("dac", quantizers=2, weights="w"),
    },
)
VARIANT_COLOURS = {colour for colour, _ in rate_distortion.VARIANTS}


def draw(points: pd.DataFrame) -> Figure:
    return rate_distortion.rate_distortion(STUDY, points, codecs())


def legend_of(figure: Figure) -> list[str]:
    legends = [*figure.legends, *(axis.get_legend() for axis in figure.axes if axis.get_legend())]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


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


def codecs() -> pd.DataFrame:
    """Return a summary: of Opus, of a codec that is not installed, and of the variants."""
    rows = summary()[["variant", "metric", "mean", "low", "high", "bitrate"]]
    native = rows[(summary()["point"] == "native") & (rows["variant"] == "even")]
    opus = native.assign(variant="opus-6k", bitrate=6470.0, mean=0.9, low=0.8, high=0.95)
    dac = native.assign(variant="dac", bitrate=np.nan, mean=np.nan, low=np.nan, high=np.nan)
    return pd.concat([native, opus, dac], ignore_index=True)


def test_figures_are_written_and_the_same_again(tmp_path: Path) -> None:
    for folder in (tmp_path / "one", tmp_path / "two"):
        with styled():
            save(rate_distortion.rate_distortion(STUDY, summary(), codecs()), folder / "rates")
            save(codebook(STUDY, levels_table()), folder / "codebook")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["codebook.pdf", "codebook.png", "rates.pdf", "rates.png"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_line_per_variant_in_the_order_of_the_bitrate() -> None:
    table = summary()
    figure = draw(table)
    for axis, metric in zip(figure.axes, METRICS, strict=False):
        rows = table[table["metric"] == metric]
        lines = [line for line in axis.lines if line.get_linestyle() == "-"]
        assert len(lines) == 2
        assert lines[0].get_color() == BLACK  # the first variant, on top
        assert lines[0].get_zorder() > lines[1].get_zorder()
        for line, (_, expected) in zip(lines, rows.groupby("variant"), strict=True):
            expected = expected.sort_values("bitrate")
            assert list(line.get_xdata()) == expected["bitrate"].tolist()
            assert list(line.get_ydata()) == expected["mean"].tolist()
        for line in axis.lines:
            if line.get_linestyle() == "None" and line.get_color() in VARIANT_COLOURS:
                native = list(line.get_xdata()) == [2452]
                assert native or 2452 not in line.get_xdata()
                assert (line.get_markerfacecolor() != "white") == native


def grey_marks(figure: Figure) -> set[tuple[str, str, float]]:
    """Return (metric, label, value) of the published marks, as drawn or as the number says."""
    found = set()
    for axis in figure.axes:
        numbers = {text.xy[0]: float(text.get_text()) for text in axis.texts}
        for line in axis.lines:
            if line.get_color() == GREY:
                (place,), (height,) = line.get_xdata(), line.get_ydata()
                low, high = axis.get_ylim()
                assert low <= height <= high
                assert (place in numbers) == (height in (low, high))
                # Aside: in the strip, where there is no bitrate.
                (strip,) = axis.patches
                assert axis.get_xlim()[0] < place < strip.get_x() + strip.get_width()
                assert strip.get_x() + strip.get_width() <= min(axis.get_xticks())
                metric = axis.get_title(loc="left").split(" ")[0]
                found.add((metric, line.get_label(), numbers.get(place, height)))
    return found


def test_published_values_are_grey_marks_with_their_caveat(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = draw(summary())
    four, seven, mimi = "TAAE, 400 bit/s", "TAAE, 700 bit/s", "Mimi, 1100 bit/s"
    expected = {("SI-SDR", four, 3.18), ("SI-SDR", seven, 4.73), ("SI-SDR", mimi, 2.2)}
    expected |= {("SI-SDR", "DAC, 1000 bit/s", -6.51), ("STOI", four, 0.9), ("STOI", seven, 0.92)}
    expected |= {("STOI", mimi, 0.9)}
    assert grey_marks(figure) == expected
    assert "other data" in figure.get_suptitle()
    # What the title explains is in the figure: no value here has an unsure definition.
    assert "90% interval" in figure.get_suptitle()
    assert "band of PESQ" not in figure.get_suptitle()
    assert "band of PESQ" in draw(summary().assign(metric="pesq_nb")).get_suptitle()
    monkeypatch.setattr(rate_distortion, "PUBLISHED", {})
    plain = draw(summary())
    assert "published" not in plain.get_suptitle()
    # Published values are far from these scores and do not squeeze them.
    for axis, bare in zip(figure.axes, plain.axes, strict=True):
        assert axis.get_ylim() == bare.get_ylim()


def test_other_codecs_stand_at_their_measured_bitrate() -> None:
    figure = draw(summary())
    colour, _ = rate_distortion.CODECS
    for axis in figure.axes[: len(METRICS)]:
        (line,) = [line for line in axis.lines if line.get_color() == colour]
        assert (list(line.get_xdata()), list(line.get_ydata())) == ([6470.0], [0.9])
        assert axis.get_xlim()[1] > 6470
        assert axis.get_ylim()[1] >= 0.95
    assert {"opus-6k", "dac"} & set(legend_of(figure)) == {"opus-6k"}
    alone = replace(STUDY, codecs={})
    figure = rate_distortion.rate_distortion(alone, summary(), codecs())
    assert "opus-6k" not in legend_of(figure)


def test_another_codec_that_is_far_away_stands_at_the_edge_with_its_number() -> None:
    far = codecs()
    rows = (far["variant"] == "opus-6k") & (far["metric"] == "si_sdr")
    far.loc[rows, ["mean", "low", "high"]] = [-30.2, -32.0, -28.0]
    near = rate_distortion.rate_distortion(STUDY, summary(), codecs())
    figure = rate_distortion.rate_distortion(STUDY, summary(), far)
    axis, colour = figure.axes[0], rate_distortion.CODECS[0]
    (line,) = [line for line in axis.lines if line.get_color() == colour]
    low, high = axis.get_ylim()
    assert low > -1  # the lines are not flattened
    assert high <= near.axes[0].get_ylim()[1]
    assert list(line.get_ydata()) == [low]
    assert [text.get_text() for text in axis.texts if text.get_color() == colour] == ["-30.2"]


def test_variants_look_different_and_the_first_alone_is_black() -> None:
    looks = rate_distortion.VARIANTS
    assert len(set(looks)) == len(looks) >= 20
    assert [colour for colour, _ in looks].count(BLACK) == 1


def test_the_heat_map_is_the_share_over_the_uniform_one_and_the_text_its_perplexity() -> None:
    table = levels_table()
    figure = codebook(STUDY, table)
    for axis, (variant, rows) in zip(figure.axes, table.groupby("variant"), strict=False):
        assert axis.get_title(loc="left") == variant
        shown = np.asarray(axis.images[0].get_array())
        levels = rows["levels"].iloc[0]
        expected = rows["share"].to_numpy().reshape(6, levels) * levels
        np.testing.assert_allclose(shown, expected)
        perplexity = [float(text.get_text()) for text in axis.texts]
        assert perplexity == pytest.approx([1, *[levels] * 5], abs=0.1)
