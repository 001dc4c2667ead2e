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

SECONDS = [1.0, 2.5, 20.0]  # the demo trains on 2.56 s, so 2.5 s is home
# What a length changes, of every metric: at 20 s two windows differ, at 1 s all are alike.
CHANGE = {(20.0, "window-256"): -0.05, (20.0, "window-64"): 0.05}
SHIFT = {1.0: -0.02, 20.0: 0.03}


def length_study() -> Study:
    found = study()
    metrics = ["si_sdr", "mel_distance", "stoi"]
    return replace(found, lengths=replace(found.lengths, seconds=SECONDS, metrics=metrics))


def length_scores(seeds: tuple[int, ...] = (1,)) -> pd.DataFrame:
    """Return four pieces of each speaker, as `taae lengths` writes them.

    They differ far more than a length changes: the values of a piece are alike in its decodings.
    """
    tables = []
    base = fake_scores(seeds, utterances=4)
    base = base[base["variant"].isin(length_study().length_arms)]
    for seconds, cut in ((1.0, 1.0), (2.5, 1.0), (2.5, 2.5), (20.0, 2.5)):
        own = [CHANGE.get((seconds, name), 0.0) for name in base["variant"]]
        better = np.where(base["metric"] == "mel_distance", -1, 1)
        change = better * (SHIFT.get(seconds, 0.0) + np.array(own))
        noise = np.random.default_rng(round(seconds)).normal(0, 0.01, len(base))
        values = base["value"] + base["utterance"].str[-1].astype(int) * cut + change + noise
        tables.append(base.assign(seconds=seconds, cut=cut, value=values))
    return pd.concat(tables)


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    return length_scores()


@pytest.fixture(scope="module")
def found(
    scores: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pd.DataFrame]:
    paths = []
    for variant, rows in scores.groupby("variant"):
        paths.append(tmp_path_factory.mktemp("scores") / f"{variant}.csv")
        rows.to_csv(paths[-1], index=False)
    return lengths.length_tables(paths, length_study())


@pytest.fixture(scope="module")
def summary(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return found["lengths"]


def step_down(p: list[float]) -> list[float]:
    """Return Holm's p values by their definition."""
    return [
        min(1.0, max(one * sum(other >= one for other in p) for one in p if one <= limit))
        for limit in p
    ]


def changes(scores: pd.DataFrame, variant: str, metric: str, seconds: float) -> pd.Series:
    """Return each speaker's mean change from 2.5 s, from pivoted scores."""
    rows = scores[(scores["variant"] == variant) & (scores["metric"] == metric)]
    rows = rows[rows["cut"] == min(seconds, 2.5)]
    pieces = rows.pivot_table(index=["speaker", "utterance"], columns="seconds", values="value")
    found: pd.Series = (pieces[seconds] - pieces[2.5]).groupby("speaker").mean()
    return found


def test_the_change_is_of_the_same_pieces_and_counts_from_the_length_of_training(
    scores: pd.DataFrame, summary: pd.DataFrame
) -> None:
    """Oracle: scipy's test, speaker by speaker."""
    assert len(summary) == 3 * 4 * 3  # lengths, arms, metrics
    assert set(summary["home"]) == {2.5}
    assert summary.groupby("seconds")["cut"].unique().map(list).to_dict() == {
        1.0: [1.0], 2.5: [2.5], 20.0: [2.5],
    }  # fmt: skip
    for row in summary[summary["seconds"] != 2.5].itertuples():
        change = changes(scores, row.variant, row.metric, row.seconds)
        interval = stats.ttest_1samp(change, 0).confidence_interval(0.95)
        assert (row.change_low, row.change_high) == pytest.approx((interval.low, interval.high))
        assert row.change == pytest.approx(change.mean())
        assert row.change_p == pytest.approx(stats.ttest_1samp(change, 0).pvalue)
    away = summary["seconds"] != 2.5
    adjusted = step_down(summary.loc[away, "change_p"].tolist())
    assert summary.loc[away, "change_p_holm"].tolist() == pytest.approx(adjusted)
    same = summary[~away]
    assert (same["change"] == 0).all()
    assert same["change_p_holm"].isna().all()
    assert not same["worse"].any()


def test_worse_is_where_the_window_breaks(summary: pd.DataFrame) -> None:
    rows = summary.set_index("variant")
    long, short = (rows.loc[rows["seconds"] == seconds, "worse"] for seconds in (20, 1))
    assert long["window-256"].all()  # in metrics where higher is better, and in one where lower is
    assert not long["window-64"].any()  # it changes as much, to the better
    assert short.all()


def test_another_window_is_a_difference_of_differences(
    scores: pd.DataFrame, found: dict[str, pd.DataFrame]
) -> None:
    """Oracle: scipy's paired test of the changes of two variants, speaker by speaker."""
    table = found["lengths-comparisons"]
    assert len(table) == 2 * 3 * 3  # lengths away from home, variants, metrics
    assert set(table["reference"]) == {"baseline"}
    for row in table.itertuples():
        mine, other = (
            changes(scores, name, row.metric, row.seconds) for name in (row.variant, row.reference)
        )
        tested = stats.ttest_rel(mine, other)
        interval = tested.confidence_interval(0.95)
        assert row.difference == pytest.approx((mine - other).mean())
        assert (row.low, row.high) == pytest.approx((interval.low, interval.high))
        assert row.p == pytest.approx(tested.pvalue)
    adjusted = step_down(table["p"].tolist())
    assert table["p_holm"].tolist() == pytest.approx(adjusted)
    assert set(table["family_size"]) == {18}
    significant = table[table["p_holm"] < 0.05]
    assert set(zip(significant["seconds"], significant["variant"], strict=True)) == set(CHANGE)


def test_lengths_at_which_no_window_removes_anything_are_vacuous(scores: pd.DataFrame) -> None:
    known = length_study()
    windows = {"baseline": 512, "window-256": 1024, "window-64": 64, "window-32": 32}
    arms = {
        name: replace(known.variants[name], attention=replace(known.variants[name].attention,
        window=window))
        for name, window in windows.items()
    }  # fmt: skip
    known = replace(known, variants=known.variants | arms)
    # 1 s is 200 frames at most: 512 keys reach 255 to the left of each.
    summary = lengths.length_summary(scores, known)
    sees_all = summary[summary["sees_all"]]
    assert set(zip(sees_all["variant"], sees_all["seconds"], strict=True)) == {
        ("baseline", 1.0), ("window-256", 1.0), ("window-256", 2.5),
    }  # fmt: skip
    table = lengths.length_comparisons(scores, known)
    vacuous = table[table["vacuous"]]
    assert set(zip(vacuous["variant"], vacuous["seconds"], strict=True)) == {("window-256", 1.0)}
    assert vacuous["p_holm"].isna().all()
    tested = table[~table["vacuous"]]
    assert set(table["family_size"]) == {len(tested)}
    adjusted = step_down(tested["p"].tolist())
    assert tested["p_holm"].tolist() == pytest.approx(adjusted)
    figure = length_figure(known, summary, table)
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert len(crosses) == 2  # at 1 s


def test_a_piece_without_a_value_is_left_out_of_both_decodings(scores: pd.DataFrame) -> None:
    silent = scores.reset_index(drop=True)
    lost = silent.index[
        (silent["utterance"] == "v00-0") & (silent["seconds"] == 1) & (silent["metric"] == "stoi")
        & (silent["variant"] == "baseline")
    ]  # fmt: skip
    silent.loc[lost, ["value", "status"]] = [np.nan, "too_short"]
    table = lengths.length_comparisons(silent, length_study())
    rows = table[(table["metric"] == "stoi") & (table["seconds"] == 1)]
    assert rows["n_excluded"].tolist() == [1, 1, 1]
    assert rows["n_utterances"].tolist() == [47, 47, 47]
    assert set(table.loc[table["seconds"] == 20, "n_excluded"]) == {0}


def test_filled_points_are_other_changes_than_the_references(
    found: dict[str, pd.DataFrame],
) -> None:
    figure = length_figure(length_study(), found["lengths"], found["lengths-comparisons"])
    for axis, metric in zip(figure.axes, ["si_sdr", "mel_distance", "stoi"], strict=False):
        points = {
            float(line.get_ydata()[0]): (line.get_marker(), line.get_markerfacecolor() != "white")
            for line in axis.lines
            if line.get_marker() not in ("None", None) and len(line.get_xdata()) == 1
        }
        rows = found["lengths"]
        rows = rows[(rows["metric"] == metric) & (rows["seconds"] != 2.5)]
        assert len(points) == len(rows) == 8
        for row in rows.itertuples():
            filled = row.variant == "baseline" or (row.seconds, row.variant) in CHANGE
            assert points[row.change][1] == filled
            assert (points[row.change][0] == "D") == (row.variant == "baseline")
        (side,) = axis.patches
        ends = sorted([side.get_y(), side.get_y() + side.get_height()])
        assert ends[1 if metric == "mel_distance" else 0] == 0
    assert "from pieces of 2.5 s" in figure.get_suptitle()


def test_a_pretrained_arm_is_compared_at_the_baselines_length(scores: pd.DataFrame) -> None:
    known = length_study()
    arm = replace(known.variants["window-256"], pretrained="models/window-256")
    known = replace(known, seeds=[1, 2, 3], variants=known.variants | {"window-256": arm})
    of_seeds = length_scores((1, 2, 3))
    of_seeds = of_seeds[(of_seeds["variant"] != "window-256") | (of_seeds["seed"] == 1)]
    table = lengths.length_comparisons(of_seeds, known)
    rows = table[table["variant"] == "window-256"]
    assert set(rows["home"]) == {2.5}
    assert set(rows["n_seeds"]) == {3}  # its one model is compared with each seed of the other
    one = rows.iloc[0]
    mine = changes(of_seeds, "window-256", one.metric, one.seconds).mean()
    other = changes(of_seeds, "baseline", one.metric, one.seconds).mean()
    assert one.difference == pytest.approx(mine - other)


def test_arms_with_other_homes_are_not_compared(scores: pd.DataFrame) -> None:
    known = length_study()
    training = replace(known.variants["window-64"].training, segment=20.0)
    arm = replace(known.variants["window-64"], training=training)
    known = replace(known, variants=known.variants | {"window-64": arm})
    assert known.home_length("window-64") == 20
    assert set(lengths.length_comparisons(scores, known)["variant"]) == {"window-32", "window-256"}


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
    assert frame == ["looks ahead"] + ["1 to 2.5"] * (len(found.cost_arms) - 1)
    assert {text.get_text() for text in panels["receptive field (ms)"].texts} == {"1234"}
    (spread,) = panels["CPU time / duration"].collections
    ends = {(path[0][0], path[1][0]) for path in spread.get_segments()}
    assert ends == {(0.009, 0.012)}
    del costs["window-32/seed1"]
    for broken in ("{", "[]", json.dumps(costs)):
        (tmp_path / "costs.json").write_text(broken)
        with pytest.raises(TaaeError, match=r"costs\.json: not the costs of the models"):
            runs.cost_table(tmp_path, found)
