"""Figures of single utterances: which pairs are drawn, where, and on which side better lies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from taae.analysis.figures.draw import plot
from taae.analysis.figures.utterances import distributions, scatter
from taae.evaluation.other_codecs.config import OpusSettings
from tests.unit.analysis.fake_scores import fake_scores, study

STUDY = study()
STUDY = replace(
    STUDY,
    metrics=replace(STUDY.metrics, names=["mel_distance", "stoi"]),
    codecs={"opus-6k": OpusSettings("opus", bitrate=6000)},
)


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    scores = fake_scores(seeds=(1, 2), speakers=3, utterances=2)
    codec = scores[(scores["variant"] == "even") & (scores["seed"] == 1)]
    codec = codec.assign(variant="opus-6k", run="opus-6k", seed=0)
    return pd.concat([scores, codec], ignore_index=True)


def dots(figure: Figure, panel: int) -> list[np.ndarray]:
    """Return the (n, 2) points of each set of dots in a panel."""
    lines = [line for line in figure.axes[panel].lines if line.get_marker() != "None"]
    return [np.column_stack([line.get_xdata(), line.get_ydata()]) for line in lines]


def test_scatter_pairs_utterances_of_one_seed(scores: pd.DataFrame) -> None:
    shuffled = scores.sample(frac=1, random_state=1)
    lost = (shuffled["variant"] == "window-32") & (shuffled["utterance"] == "v01-1")
    shuffled.loc[lost & (shuffled["seed"] == 2), ["value", "status"]] = [np.nan, "crash"]
    figure = scatter(STUDY, "window", shuffled)
    values = scores.set_index(["variant", "metric", "seed", "utterance"])["value"]
    for panel, metric in enumerate(STUDY.metrics.names):
        shown = dots(figure, panel)
        assert [len(points) for points in shown] == [11, 12, 12]
        for variant, points in zip(STUDY.ablations["window"].variants, shown, strict=True):
            expected = {
                (values["baseline", metric, seed, name], values[variant, metric, seed, name])
                for seed in (1, 2)
                for name in scores["utterance"].unique()
                if (variant, seed, name) != ("window-32", 2, "v01-1")
            }
            assert {tuple(point) for point in points} == expected


def test_scatter_shades_the_better_side(scores: pd.DataFrame) -> None:
    figure = scatter(STUDY, "window", scores)
    for panel, below in ((0, True), (1, False)):  # mel distance, STOI
        axis = figure.axes[panel]
        assert axis.get_xlim() == axis.get_ylim()
        low, high = axis.get_xlim()
        (shade,) = axis.collections
        (path,) = shade.get_paths()
        corner = (high - 0.01 * (high - low), low + 0.01 * (high - low))
        assert path.contains_point(corner) == below
        assert path.contains_point(corner[::-1]) != below


def test_distributions_have_a_row_per_variant_and_codec(scores: pd.DataFrame) -> None:
    figure = distributions(STUDY, scores)
    names = [*STUDY.variants, "opus-6k"]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == names
    for panel, metric in enumerate(STUDY.metrics.names):
        for place, points in enumerate(dots(figure, panel)):
            rows = scores[(scores["variant"] == names[place]) & (scores["metric"] == metric)]
            np.testing.assert_array_equal(np.sort(points[:, 0]), np.sort(rows["value"]))
            assert np.abs(points[:, 1] - place).max() < 0.3
        medians = [
            line.get_xdata()[0]
            for line in figure.axes[panel].lines
            if line.get_linewidth() == pytest.approx(1.4)
        ]
        expected = scores[scores["metric"] == metric].groupby("variant")["value"].median()
        assert medians == [expected[name] for name in names]


def test_what_is_far_away_does_not_flatten_the_rest_and_is_counted_at_the_edge(
    scores: pd.DataFrame,
) -> None:
    own = scores[(scores["metric"] == "stoi") & (scores["variant"] != "opus-6k")]["value"]
    far = scores.copy()
    codec = (far["variant"] == "opus-6k") & (far["metric"] == "stoi")
    far.loc[codec, "value"] = -30 + far.loc[codec, "value"]
    outlier = far.index[(far["variant"] == "even") & (far["metric"] == "stoi")][:2]
    far.loc[outlier, "value"] = [9.0, 12.0]
    figure = distributions(STUDY, far)
    plain = distributions(STUDY, scores)
    assert [text.get_text() for text in plain.axes[1].texts] == []
    low, high = figure.axes[1].get_xlim()
    assert low < own.min() < own.max() < high
    assert high - low < 1.5 * (own.max() - own.min())
    names = [*STUDY.variants, "opus-6k"]
    shown = {names[round(text.get_position()[1])]: text.get_text() for text in figure.axes[1].texts}
    assert shown == {"even": "2 ▸", "opus-6k": f"◂ {codec.sum()}"}


def test_what_has_no_value_or_no_spread_is_drawn_without(scores: pd.DataFrame) -> None:
    poor = scores.copy()
    poor.loc[poor["metric"] == "stoi", "status"] = "crash"
    poor.loc[poor["variant"] == "even", "value"] = 1.0
    figure = distributions(STUDY, poor)
    full = distributions(STUDY, scores)
    assert len(figure.axes[0].collections) == len(full.axes[0].collections) - 1
    assert dots(figure, 1) == []
    assert dots(scatter(STUDY, "window", poor), 1)[0].size == 0


@pytest.mark.parametrize("figure", ["window/scatter", "distributions"])
def test_they_are_drawn_from_the_table_and_the_same_again(
    scores: pd.DataFrame, tmp_path: Path, figure: str
) -> None:
    scores.to_csv(tmp_path / "scores.csv", index=False)
    for folder in ("one", "two"):
        plot(STUDY, tmp_path, tmp_path / folder, [figure])
    for suffix in (".png", ".pdf"):
        one, two = (tmp_path / folder / f"{figure}{suffix}" for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
