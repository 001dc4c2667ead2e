"""Simulated listeners: a preference that they have is found, and one that they lack is not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from taae.analysis import statistics
from taae.analysis.statistics import compare, mean_interval
from taae.study.config import Statistics

LISTENERS, SPEAKERS = 8, 8
SETTINGS = Statistics(resamples=100)
PANELS = 200
Tables = tuple[pd.DataFrame, pd.DataFrame]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the signed-rank test beside the one that counts: of tied ranks it takes long."""
    monkeypatch.setattr(statistics, "WILCOXON_LEAST", SPEAKERS + 1)


def rows(cells: np.ndarray) -> pd.DataFrame:
    """Ratings (listeners, speakers), one utterance of each speaker, in the order of score files."""
    listeners, speakers = cells.shape
    table = [
        {"seed": 1, "listener": f"p{one:02d}", "speaker": f"s{other}", "utterance": f"s{other}-1"}
        for one, other in product(range(listeners), range(speakers))
    ]
    return pd.DataFrame(table).assign(value=cells.ravel())


def mushra(effect: float, random: np.random.Generator) -> Tables:
    """Two arms: levels of listeners and items, both with a taste of their own for either arm."""
    own = random.normal(0, 15, (LISTENERS, 1)) + random.normal(0, 10, (1, SPEAKERS)) + 50
    taste = random.normal(0, 6, (LISTENERS, 1)) + random.normal(0, 4, (1, SPEAKERS)) + effect
    noise = random.normal(0, 5, (2, LISTENERS, SPEAKERS))
    one, other = (np.clip(np.rint(own + each), 0, 100) for each in (taste + noise[0], noise[1]))
    return rows(one), rows(other)


def pairs(effect: float, random: np.random.Generator) -> Tables:
    """Choices of a pair: +1 where the arm is preferred, with a chance that listeners differ in."""
    taste = random.normal(0, 0.5, (LISTENERS, 1)) + random.normal(0, 0.5, (1, SPEAKERS)) + effect
    preferred = random.random((LISTENERS, SPEAKERS)) < stats.norm.cdf(taste)
    return rows(np.where(preferred, 1.0, -1.0)), rows(np.zeros((LISTENERS, SPEAKERS)))


def found(panel: Callable[[float, np.random.Generator], Tables], effect: float) -> int:
    """How many of the panels show a difference at 5 %."""
    random = np.random.default_rng(1)
    return sum(compare(*panel(effect, random), SETTINGS).p < 0.05 for _ in range(PANELS))


@pytest.mark.parametrize("panel", [mushra, pairs])
def test_no_preference_is_found_at_most_as_often_as_promised(
    panel: Callable[[float, np.random.Generator], Tables],
) -> None:
    count = found(panel, 0.0)
    assert stats.binomtest(count, PANELS, 0.05, alternative="greater").pvalue > 0.01


@pytest.mark.parametrize(("panel", "effect"), [(mushra, 12.0), (pairs, 1.5)])
def test_a_preference_is_found(
    panel: Callable[[float, np.random.Generator], Tables], effect: float
) -> None:
    assert found(panel, effect) > 0.9 * PANELS


def test_listeners_as_if_they_were_fixed_would_find_what_is_not_there() -> None:
    """The panels above can tell: an analysis without the listeners fails on them."""
    random = np.random.default_rng(1)
    count = 0
    for _ in range(PANELS):
        one, other = mushra(0.0, random)
        means = (one["value"] - other["value"]).groupby(one["speaker"]).mean()
        count += stats.ttest_1samp(means, 0).pvalue < 0.05
    assert count > 0.15 * PANELS


def test_the_interval_is_welch_and_satterthwaites_over_listeners_and_speakers() -> None:
    one, other = mushra(5.0, np.random.default_rng(3))
    shuffled = one.sample(frac=1, random_state=0)
    tested = compare(shuffled, other, SETTINGS)
    cells = (one["value"] - other["value"]).to_numpy().reshape(LISTENERS, SPEAKERS)
    parts = [cells.mean(axis=1).var(ddof=1) / LISTENERS, cells.mean(axis=0).var(ddof=1) / SPEAKERS]
    df = sum(parts) ** 2 / (parts[0] ** 2 / (LISTENERS - 1) + parts[1] ** 2 / (SPEAKERS - 1))
    assert tested.mean == pytest.approx(cells.mean())
    assert tested.p == pytest.approx(2 * stats.t.sf(abs(cells.mean()) / sum(parts) ** 0.5, df))
    assert tested.method == "t over listeners and speakers"
    assert tested.scope == f"over {LISTENERS} listeners"
    assert (tested.n_seeds, tested.n_speakers, tested.n_excluded) == (1, SPEAKERS, 0)
    assert tested.n_listeners == LISTENERS


def test_one_or_two_listeners_speak_for_themselves() -> None:
    one, other = (
        table[table["listener"].isin(["p00", "p01"])]
        for table in mushra(5.0, np.random.default_rng(3))
    )
    tested = compare(one, other, SETTINGS)
    cells = (one["value"] - other["value"]).to_numpy().reshape(2, SPEAKERS)
    assert tested.p == pytest.approx(stats.ttest_1samp(cells.mean(axis=0), 0).pvalue)
    assert tested.scope == "these 2 listeners"
    assert mean_interval(one, SETTINGS).method == "t over speakers"


def test_a_listener_who_rated_one_arm_alone_is_in_no_difference() -> None:
    one, other = mushra(5.0, np.random.default_rng(3))
    tested = compare(one, other[other["listener"] != "p03"], SETTINGS)
    assert tested.scope == f"over {LISTENERS - 1} listeners"
    assert tested.n_excluded == SPEAKERS
    assert tested.n_speakers == SPEAKERS


def test_scores_without_listeners_are_as_before() -> None:
    one, other = (
        table[table["listener"] == "p00"] for table in mushra(5.0, np.random.default_rng(3))
    )
    without = [table.drop(columns="listener") for table in (one, other)]
    empty = [table.assign(listener=None) for table in without]  # beside ratings of other metrics
    assert vars(compare(*without, SETTINGS)) == pytest.approx(
        vars(compare(*empty, SETTINGS)), nan_ok=True
    )
    assert compare(*without, SETTINGS).scope == "fixed checkpoint"
