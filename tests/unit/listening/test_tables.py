"""Ratings in the tables of a study: tested, judged and in words like any other metric."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from taae.analysis.findings.table import findings
from taae.analysis.run_files import collect
from taae.analysis.tables.comparisons import COLUMNS, comparisons
from taae.analysis.tables.factorial import COLUMNS as FACTORIAL
from taae.analysis.tables.scores import summary
from taae.listening.design import Trial
from taae.listening.ratings import write_scores
from taae.study.load import resolve
from taae.study.overlay import merge, read_yaml
from tests.unit.analysis.fake_scores import ARMS as OVERLAY
from tests.unit.analysis.fake_scores import DEMO, fake_scores
from tests.unit.listening.made import ARMS, careful, listening_test, rating_file


@pytest.fixture(scope="module")
def tables(
    results: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Summary, comparisons and findings of scores and of eight listeners who dislike window-32."""
    folder = tmp_path_factory.mktemp("tables")
    test = listening_test(folder / "test", results, "mushra")

    def opinion(trial: Trial, arm: str) -> int:
        if arm not in ARMS:
            return careful(trial, arm)
        return (30 if arm == "window-32" else 50) + int(random.integers(-2, 3))

    files = []
    for number in range(8):
        random = np.random.default_rng(number)
        files.append(rating_file(folder / f"p{number}.json", test, f"p{number}", opinion))
    write_scores(files, [folder / "test"], folder / "ratings.csv")
    names = {"metrics": {"names": ["stoi", "si_sdr", "mel_distance", "pesq_wb"]}}
    config = merge(
        merge(read_yaml(DEMO) | {"variants": {}, "ablations": {}}, read_yaml(OVERLAY)), names
    )
    for section in ("bitrates", "lengths"):
        config = merge(config, {section: {"metrics": ["stoi"]}})
    config = merge(config, {"listening": {"tests": [str(folder / "test")]}})
    study = resolve(config)
    fake_scores().to_csv(folder / "scores.csv", index=False)
    scores = collect([folder / "scores.csv", folder / "ratings.csv"])
    compared = comparisons(scores, study)
    nothing = pd.DataFrame(columns=["point", "same_as", *COLUMNS])
    found = findings(compared, nothing, pd.DataFrame(columns=FACTORIAL), study)
    return summary(scores, study), compared, found


def test_a_disliked_arm_is_worse_and_the_sentence_says_for_whom(
    tables: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> None:
    _, _, found = tables
    rows = found[found["metric"] == "mushra"].set_index("variant")
    assert rows.index.tolist() == ["window-32", "window-64"]
    assert rows.loc["window-32", "verdict"] == "worse"
    assert "4 speakers, 8 listeners, these checkpoints" in rows.loc["window-32", "sentence"]
    assert rows.loc["window-64", "verdict"] == "equivalent"  # within 5 points
    other = found[found["metric"] == "stoi"].iloc[0]
    assert "listeners" not in other["sentence"]


def test_arms_that_nobody_heard_are_in_no_family(
    tables: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> None:
    _, compared, _ = tables
    rows = compared[compared["metric"] == "mushra"].set_index("variant")
    heard = rows.index.isin(["window-32", "window-64"])
    assert (rows[heard]["n_listeners"] == 8).all()
    assert (rows[heard]["status"] == "ok").all()
    assert (rows[~heard]["status"] == "no_pairs").all()
    assert (rows[~heard]["family"] == "").all()
    computed = compared[(compared["metric"] != "mushra") & (compared["family"] == "exploratory")]
    assert (computed["family_size"] == len(computed) + 2).all()


def test_the_summary_has_means_over_listeners_and_speakers(
    tables: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> None:
    table, _, _ = tables
    row = table[(table["variant"] == "window-32") & (table["metric"] == "mushra")].iloc[0]
    assert row["mean"] == pytest.approx(30, abs=2)
    assert (row["n_utterances"], row["n_speakers"], row["n_failed"]) == (4, 4, 0)
    assert row["scope"] == "over 8 listeners"
    assert table[table["variant"] == "even"].set_index("metric").loc["mushra", "n_utterances"] == 0
    assert table[table["metric"] == "stoi"]["scope"].max() == "fixed checkpoint"
