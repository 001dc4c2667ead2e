"""What no seed has an effect on, beside variants of several seeds: the same in every table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from taae.analysis.figures.utterances import scatter
from taae.analysis.run_files import share_seeds
from taae.analysis.tables import comparisons
from taae.analysis.tables import scores as tables
from taae.study.study import Study
from tests.unit.analysis.fake_scores import fake_scores, study

SEEDS = (1, 2, 3)


def pretrained_study(reference: str, variants: list[str]) -> Study:
    """Return a study with one ablation, whose arm window-32 is pretrained."""
    found = study()
    arm = replace(found.variants["window-32"], pretrained="models/window-32")
    ablation = replace(found.ablations["window"], reference=reference, variants=variants)
    return replace(
        found,
        seeds=list(SEEDS),
        variants=found.variants | {"window-32": arm},
        ablations={"window": ablation},
    )


def once(scores: pd.DataFrame) -> pd.DataFrame:
    """Leave window-32 the one seed that a pretrained variant is scored at."""
    return scores[(scores["variant"] != "window-32") | (scores["seed"] == 1)]


def repeated(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores with those of window-32 written out at every seed: the oracle."""
    one = scores[(scores["variant"] == "window-32") & (scores["seed"] == 1)]
    others = scores[scores["variant"] != "window-32"]
    return pd.concat([others, *(one.assign(seed=seed) for seed in SEEDS)], ignore_index=True)


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    return fake_scores(seeds=SEEDS, speakers=6, utterances=2)


@pytest.mark.parametrize(
    ("reference", "variants"),
    [("baseline", ["window-64", "window-32"]), ("window-32", ["baseline", "window-64"])],
)
def test_a_pretrained_arm_is_compared_at_every_seed(
    scores: pd.DataFrame, reference: str, variants: list[str]
) -> None:
    pretrained = pretrained_study(reference, variants)
    trained = replace(pretrained, variants=study().variants)
    found = comparisons.comparisons(once(scores), pretrained)
    expected = comparisons.comparisons(repeated(scores), trained)
    same = ["variant", "metric", "difference", "n_utterances", "wilcoxon_p", "d_z"]
    pd.testing.assert_frame_equal(found[same], expected[same])
    # The seeds' mean does not cancel against a model of one training: their own variance counts.
    mine = found["variant"].eq("window-32") | found["reference"].eq("window-32")
    assert found["noise"][mine].isna().all()
    assert set(found["method"][mine]) == {"t over seeds and speakers"}
    assert found["noise"][~mine].notna().all()
    assert set(found["n_seeds"]) == {3}
    assert set(found["scope"]) == {"over 3 seeds"}
    assert set(found["n_excluded"]) == {0}


def test_comparisons_agree_with_the_summary(scores: pd.DataFrame) -> None:
    summary = tables.summary(once(scores), pretrained_study("baseline", ["window-32"]))
    rows = summary[summary["metric"] == "stoi"].set_index("variant")
    best = str(rows["mean"].idxmax())
    compared = comparisons.comparisons(once(scores), pretrained_study(best, ["window-32"]))
    found = compared.loc[compared["metric"] == "stoi", "difference"].item()
    assert found == pytest.approx(rows["behind"]["window-32"], rel=1e-12)


def test_two_pretrained_arms_are_compared_once(scores: pd.DataFrame) -> None:
    both = pretrained_study("baseline", ["window-32"])
    arms = {name: replace(arm, pretrained=name) for name, arm in both.variants.items()}
    one = scores[scores["seed"] == 1]
    found = comparisons.comparisons(one, replace(both, variants=arms))
    expected = comparisons.comparisons(one, replace(both, seeds=[1]))
    pd.testing.assert_frame_equal(found, expected)
    assert set(found["n_seeds"]) == {1}


def test_a_pretrained_arm_without_scores_of_the_other_excludes_its_own(
    scores: pd.DataFrame,
) -> None:
    alone = once(scores[scores["variant"] == "window-32"])
    found = comparisons.comparisons(alone, pretrained_study("baseline", ["window-32"]))
    assert set(found["status"]) == {"no_pairs"}
    assert set(found["n_excluded"]) == {12}


def pairs(figure: Figure) -> list[np.ndarray]:
    """Return the (n, 2) points of each variant in the first panel."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() != "None"]
    return [np.column_stack([line.get_xdata(), line.get_ydata()]) for line in lines]


@pytest.mark.parametrize(
    ("reference", "variant"), [("baseline", "window-32"), ("window-32", "baseline")]
)
def test_the_scatter_draws_a_pretrained_arm_at_every_seed(
    scores: pd.DataFrame, reference: str, variant: str
) -> None:
    chosen = pretrained_study(reference, [variant])
    first = chosen.metrics.names[0]
    chosen = replace(chosen, metrics=replace(chosen.metrics, names=[first]))
    (shown,) = pairs(scatter(chosen, "window", once(scores)))
    rows = repeated(scores)
    values = rows[rows["metric"] == first].set_index(["variant", "seed", "utterance"])["value"]
    both = pd.concat([values[reference], values[variant]], axis=1)
    assert len(shown) == 3 * 12
    assert {tuple(point) for point in shown} == {tuple(point) for point in both.to_numpy()}


@pytest.mark.parametrize("baseline", ["baseline", "opus-6k"])
def test_another_codec_is_compared_at_every_seed_without_a_study(
    scores: pd.DataFrame, baseline: str
) -> None:
    trained = scores.assign(run=scores["variant"] + "/seed" + scores["seed"].astype(str))
    one = trained[(trained["variant"] == "even") & (trained["seed"] == 1)]
    opus = one.assign(variant="opus-6k", run="opus-6k", seed=0)
    given = pd.concat([trained, opus], ignore_index=True)
    oracle = pd.concat([trained, *(opus.assign(seed=seed) for seed in SEEDS)], ignore_index=True)
    statistics = study().statistics
    found = comparisons.compare_against(given, baseline, statistics)
    expected = comparisons.compare_against(oracle, baseline, statistics)
    pd.testing.assert_frame_equal(found, expected)
    mine = found[(found["variant"] == "opus-6k") | (found["reference"] == "opus-6k")]
    assert set(mine["n_seeds"]) == {3}


def test_the_seed_zero_of_a_training_is_a_seed(scores: pd.DataFrame) -> None:
    trained = scores.assign(seed=scores["seed"] - 1)
    trained["run"] = trained["variant"] + "/seed" + trained["seed"].astype(str)
    lost = (trained["variant"] == "even") & (trained["seed"] > 0)
    found = comparisons.compare_against(trained[~lost], "baseline", study().statistics)
    assert set(found.loc[found["variant"] == "even", "n_seeds"]) == {1}


def test_rows_of_several_seeds_keep_them(scores: pd.DataFrame) -> None:
    """However they came to be there: at the seeds of the other, all would be paired with all."""
    names = ("window-32", "even")
    both = {name: scores[scores["variant"] == name] for name in names}
    one, other = share_seeds(both, {"window-32"})
    pd.testing.assert_frame_equal(one, both[names[0]])
    pd.testing.assert_frame_equal(other, both[names[1]])
