"""The tables and figures of the length and the cost study, and what costs are measured."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from taae.analysis.figures.study import cost as cost_figure
from taae.analysis.figures.study import lengths as length_figure
from taae.analysis.tables import lengths, runs
from taae.evaluation import cost as costs_measured
from taae.evaluation.cost import measure
from taae.study.study import Study
from taae.utils.errors import TaaeError
from tests.unit.analysis.fake_scores import fake_scores, study
from tests.unit.codec.codecs import codec

SECONDS = [1.0, 5.0, 20.0]  # the demo trains on 2.56 s
DROP = {"window-256": 0.05, "window-64": -0.05}  # of every metric, at 20 s


def length_study() -> Study:
    found = study()
    metrics = ["si_sdr", "mel_distance", "stoi"]
    return replace(found, lengths=replace(found.lengths, seconds=SECONDS, metrics=metrics))


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """One utterance per speaker and length, as `taae lengths` writes them."""
    tables = []
    base = fake_scores(utterances=1)
    base = base[base["variant"].isin(length_study().length_arms)]
    for seconds in SECONDS:
        table = base.assign(utterance=base["utterance"] + f"-{seconds:g}s")
        noise = np.random.default_rng(round(seconds)).normal(0, 0.01, len(table))
        drop = table["variant"].map(DROP).fillna(0.0) * (seconds == 20)
        worse = np.where(table["metric"] == "mel_distance", -1, 1)
        table["value"] += noise - drop * worse
        table.insert(0, "seconds", seconds)
        tables.append(table)
    return pd.concat(tables)


@pytest.fixture(scope="module")
def summary(scores: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    paths = []
    for variant, rows in scores.groupby("variant"):
        paths.append(tmp_path_factory.mktemp("scores") / f"{variant}.csv")
        rows.to_csv(paths[-1], index=False)
    return lengths.length_summary(paths, length_study())


def test_the_change_is_paired_and_counts_from_the_length_of_training(
    scores: pd.DataFrame, summary: pd.DataFrame
) -> None:
    """Oracle: scipy's paired test, speaker by speaker."""
    assert len(summary) == 3 * 4 * 3  # lengths, arms, metrics
    assert set(summary["home"]) == {5.0}
    for row in summary[summary["seconds"] != 5].itertuples():
        here, there = (
            scores[
                (scores["seconds"] == seconds)
                & (scores["variant"] == row.variant)
                & (scores["metric"] == row.metric)
            ].sort_values("speaker")["value"]
            for seconds in (row.seconds, 5.0)
        )
        interval = stats.ttest_rel(here, there).confidence_interval(0.95)
        assert (row.change_low, row.change_high) == pytest.approx((interval.low, interval.high))
        assert row.change == pytest.approx(np.mean(here.to_numpy() - there.to_numpy()))
    same = summary[summary["seconds"] == 5]
    assert (same["change"] == 0).all()
    assert not same["worse"].any()


def test_worse_is_where_the_window_breaks(summary: pd.DataFrame) -> None:
    long = summary[summary["seconds"] == 20].set_index("variant")["worse"]
    assert long["window-256"].all()  # in metrics where higher is better, and in one where lower is
    assert not long["window-64"].any()  # it changes as much, to the better


def test_hollow_points_are_those_that_are_worse(summary: pd.DataFrame) -> None:
    figure = length_figure(length_study(), summary)
    for axis, metric in zip(figure.axes, ["si_sdr", "mel_distance", "stoi"], strict=False):
        hollow = [
            value
            for line in axis.lines
            if line.get_markerfacecolor() == "white"
            for value in np.asarray(line.get_ydata(), float)
        ]
        expected = summary.loc[(summary["metric"] == metric) & summary["worse"], "mean"]
        assert sorted(hollow) == pytest.approx(sorted(expected))


def pretrained(names: list[str]) -> Study:
    """Return the study where some arms are pretrained and so have the baseline's training."""
    found = length_study()
    arms = {name: replace(found.variants[name], pretrained=f"models/{name}") for name in names}
    return replace(found, variants=found.variants | arms)


def test_a_pretrained_arm_has_no_length_of_training(
    scores: pd.DataFrame, summary: pd.DataFrame, tmp_path: Path
) -> None:
    for variant, rows in scores.groupby("variant"):
        rows.to_csv(tmp_path / f"{variant}.csv", index=False)
    paths = sorted(tmp_path.glob("*.csv"))
    found = lengths.length_summary(paths, pretrained(["window-256"]))
    mine = found["variant"] == "window-256"
    empty = ["home", "change", "change_low", "change_high"]
    assert found.loc[mine, empty].isna().all(axis=None)
    assert not found.loc[mine, "worse"].any()
    assert found["worse"].dtype == bool
    same = [name for name in found if name not in (*empty, "worse")]
    pd.testing.assert_frame_equal(found[same], summary[same])
    others = (found[~mine], summary[summary["variant"] != "window-256"])
    pd.testing.assert_frame_equal(*others)


def test_the_segments_of_pretrained_arms_are_not_marked(summary: pd.DataFrame) -> None:
    def marks(study: Study) -> tuple[set[float], str]:
        figure = length_figure(study, summary)
        dotted = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
        return {line.get_xdata()[0] for line in dotted}, figure.get_suptitle()

    one = pretrained(["window-256"])
    longer = replace(one.variants["baseline"].training, segment=9.0)
    arm = replace(one.variants["window-256"], training=longer)
    lines, title = marks(replace(one, variants=one.variants | {"window-256": arm}))
    assert lines == {2.56}
    assert "segments of 2.56 s" in title
    lines, title = marks(pretrained(length_study().length_arms))
    assert (lines, title) == (set(), "Length generalisation")


def test_models_take_turns_and_their_times_are_of_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: a work that sleeps spends no CPU, one that spins spends what the clock says."""
    turns: list[str] = []

    def work(model: str, _noise: object) -> None:
        turns.append(model)
        end = time.process_time() + (0.02 if model == "spins" else 0.0)
        while time.process_time() < end:
            pass
        if model == "sleeps":
            time.sleep(0.05)

    monkeypatch.setattr(costs_measured, "load_codec", lambda path: path.name)
    monkeypatch.setattr(costs_measured, "_known", lambda _codec: {})
    monkeypatch.setattr(costs_measured, "_work", work)
    found = measure([tmp_path / "sleeps", tmp_path / "spins"])
    pair = ["sleeps", "spins"]
    assert turns[:8] == [*pair, *pair, *reversed(pair), *pair]  # the first of them is not timed
    assert len(turns[2:]) == 2 * costs_measured.ROUNDS + 2  # and once each for its memory
    sleeps, spins = found[f"{tmp_path.name}/sleeps"], found[f"{tmp_path.name}/spins"]
    assert sleeps["rtf"] * costs_measured.SECONDS < 0.01
    assert sleeps["rtf_clock"] * costs_measured.SECONDS >= 0.05
    assert spins["rtf_low"] * costs_measured.SECONDS >= 0.02
    assert spins["rtf_low"] <= spins["rtf"] <= spins["rtf_high"]
    with pytest.raises(TaaeError, match="two of the models have the same name"):
        measure([tmp_path / "spins", tmp_path / "spins"])


@pytest.mark.parametrize("kind", ["taae", "conv"])
def test_a_codec_that_looks_ahead_has_no_streaming_costs_and_a_reason(
    tmp_path: Path, kind: str
) -> None:
    codec(causal=False, patch=80, kind=kind).save_pretrained(tmp_path / "ahead")
    codec(causal=True, patch=80, kind=kind).save_pretrained(tmp_path / "causal")
    ahead, causal = measure([tmp_path / "ahead", tmp_path / "causal"]).values()
    for key in ("state_kib", "chunk_ms_median", "chunk_ms_p99"):
        assert ahead[key] is None
        assert causal[key] > 0
    assert (ahead["note"], causal["note"]) == ("does not stream: it looks ahead", "")
    assert causal["chunk_ms_median"] <= causal["chunk_ms_p99"]
    assert (causal["look_ahead_ms"], causal["latency_ms"]) == (0, 10)
    # The decoded samples at least: 10 s at 16 kHz.
    assert ahead["peak_mib"] > 160_000 * 4 / 2**20


def test_the_cost_table_has_a_row_per_arm_and_the_figure_a_reason_for_each_gap(
    tmp_path: Path,
) -> None:
    found = study()
    model = found.variants["window-256"].model
    conv = replace(found.variants["window-256"], model=replace(model, kind="conv"))
    found = replace(found, variants=found.variants | {"window-256": conv})
    measured = {
        "latency_ms": 20.0, "look_ahead_ms": 0.0, "receptive_field_ms": 1234.0, "parameters": 5e6,
        "flops_per_second": 3e7, "rtf": 0.01, "peak_mib": 3.0, "state_kib": 4.0,
        "chunk_ms_median": 1.0, "chunk_ms_p99": 2.5, "rtf_low": 0.009, "rtf_high": 0.012,
    }  # fmt: skip
    blind = {"state_kib": None, "chunk_ms_median": None, "chunk_ms_p99": None}
    costs = {
        f"{name}/seed1": measured | (blind if name == "baseline" else {})
        for name in reversed(found.cost_arms)
    }
    (tmp_path / "costs.json").write_text(json.dumps(costs))
    table = runs.cost_table(tmp_path, found)
    assert table["variant"].tolist() == found.cost_arms
    windows = table.set_index("variant")["window"]
    assert windows[["baseline", "window-32"]].tolist() == [128, 32]
    assert windows.isna().sum() == 1  # conv
    figure = cost_figure(found, table)
    panels = {axis.get_title(loc="left"): axis for axis in figure.axes}
    frame = [text.get_text() for text in panels["one streamed frame (ms)"].texts]
    assert frame == [" looks ahead"] + ["1 to 2.5"] * (len(found.cost_arms) - 1)
    assert {text.get_text() for text in panels["receptive field (ms)"].texts} == {"1234"}
    del costs["window-32/seed1"]
    for broken in ("{", "[]", json.dumps(costs)):
        (tmp_path / "costs.json").write_text(broken)
        with pytest.raises(TaaeError, match=r"costs\.json: not the costs of the models"):
            runs.cost_table(tmp_path, found)
