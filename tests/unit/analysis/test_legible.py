"""No text of a figure meets another or leaves the page: with two arms, with twenty long names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from taae.analysis.figures import ablations, study, style
from taae.analysis.figures.rate_distortion import rate_distortion
from taae.analysis.figures.robustness import robustness
from taae.analysis.figures.tests import means_on_tests
from taae.analysis.figures.utterances import distributions, scatter
from taae.analysis.figures.verdicts import verdicts
from taae.corpus import config
from taae.evaluation.other_codecs.config import Codec2Settings, OpusSettings
from taae.evaluation.robustness.conditions import conditions
from taae.evaluation.robustness.config import Robustness
from taae.study.study import Study
from tests.unit.analysis import fake_scores
from tests.unit.analysis.legible import illegible

METRICS = [
    *("si_sdr", "mel_distance", "stft_distance", "pesq_wb", "pesq_nb", "stoi", "estoi"),
    *("dnsmos_p808", "stft_distance_dac"),
]
POINTS = ["native", "16@own", "6@own", "6@1"]
TESTS = ["noise", "a-test-set-with-a-long-name", "reverb", "telephone", "own-speech"]
CASES = {
    "two arms": ["baseline", "a"],
    "twenty arms": [f"an-arm-with-a-long-name-and-{place:02d}" for place in range(20)],
}
KINDS = [
    *("metrics", "windows", "forest", "points", "scatter", "distributions", "training", "coverage"),
    *("cost", "lengths", "codebook", "rate_distortion", "spectrograms", "tests", "means_on_tests"),
    *("robustness", "verdicts"),
]


def study_of(arms: Sequence[str], varies: str = "attention") -> Study:
    found = fake_scores.study()
    baseline = found.variants["baseline"]
    variants = {
        name: replace(baseline, attention=replace(baseline.attention, window=8 * (place + 1)))
        for place, name in enumerate(arms)
    }
    ablation = replace(
        found.ablations["window"], reference=arms[0], variants=list(arms[1:]), varies=[varies]
    )
    return replace(
        found,
        variants=variants,
        ablations={"window": ablation},
        metrics=replace(found.metrics, names=METRICS),
        lengths=replace(found.lengths, metrics=METRICS[:6], seconds=[1, 2.5, 10, 60]),
        tests={
            name: config.TestSet("altered", altered=config.Altered(gain_db=6.0)) for name in TESTS
        },
        codecs={
            "opus-6k": OpusSettings("opus", bitrate=6000),
            "codec2-2400": Codec2Settings("codec2", bitrate=2400),
        },
    )


def table(arms: Sequence[str], **columns: Sequence[Any]) -> pd.DataFrame:
    """Return random results of every arm, for each combination of `columns`."""
    rng = np.random.default_rng(0)
    keys = ["variant", *columns]
    found = pd.DataFrame(product(arms, *columns.values()), columns=keys)
    size = len(found)
    scale = 10.0 ** rng.integers(-4, 2, size) if size else 1.0
    found["difference"] = rng.normal(0, 1, size) * scale
    found["mean"] = found["difference"]
    half = np.abs(rng.normal(0, 1, size)) * scale
    found["low"], found["high"] = found["difference"] - half, found["difference"] + half
    return found.assign(
        ablation="window",
        reference=arms[0],
        control=False,
        p_holm=rng.choice([0.01, 0.5], size),
        noise=0.3 * scale,
        noise_df=5,
        n_seeds=1,
        confidence=0.95,
        scope="fixed checkpoint",
        n_speakers=12,
    )


def draw(kind: str, arms: Sequence[str]) -> Figure:
    known = study_of(arms, "attention.window" if kind == "windows" else "attention")
    rng = np.random.default_rng(1)
    everything = [*arms, *known.codecs]
    summary = table(everything, metric=METRICS).assign(bitrate=2400.0)
    summary.loc[summary["variant"] == "opus-6k", "bitrate"] = 6394.0
    compared = table(arms[1:], metric=METRICS)
    scores = table(everything, metric=METRICS, utterance=[f"u{place}" for place in range(12)])
    scores = scores.assign(value=scores["mean"], status="ok", seed=1)
    scores.loc[scores["variant"] == "codec2-2400", "value"] -= 1e4
    match kind:
        case "metrics":
            return ablations.metrics(known, "window", summary, compared)
        case "windows":
            return ablations.metrics(known, "window", summary, compared)
        case "forest":
            return ablations.forest(known, "window", compared)
        case "points":
            return ablations.points(
                known, "window", table(arms[1:], metric=METRICS[:6], point=POINTS)
            )
        case "tests":
            return ablations.tests(
                known, "window", table(arms[1:], metric=METRICS[:6], test=["main", *known.tests])
            )
        case "means_on_tests":
            return means_on_tests(
                known, table(everything, metric=METRICS, test=["main", *known.tests])
            )
        case "scatter":
            return scatter(known, "window", scores)
        case "distributions":
            return distributions(known, scores)
        case "training":
            steps = pd.DataFrame({"step": [250, 500], "split": "validation", "loss": [6.0, 5.0]})
            each = [steps.assign(variant=name, seed=1, discriminator=np.nan) for name in arms]
            return study.training(known, pd.concat(each))
        case "coverage":
            shares = table(arms, rate_hz=[200.0, 100.0])
            return study.coverage(known, shares.assign(share_removed=0.4))
        case "cost":
            costs = pd.DataFrame({"variant": arms})
            for name in [*study.COSTS, "chunk_ms_p99", "rtf_low", "rtf_high"]:
                costs[name] = 10.0 ** rng.uniform(-3, 5, len(arms))
            costs.loc[0, ["chunk_ms_median", "chunk_ms_p99", "state_kib"]] = np.nan
            return study.cost(known, costs)
        case "lengths":
            changes = table(arms, metric=METRICS[:6], seconds=known.lengths.seconds)
            names = {name: f"change_{name}" for name in ("low", "high")}
            changes = changes.rename(columns={"difference": "change", **names}).assign(
                home=2.5, sees_all=changes["seconds"] == 1, low=changes["low"]
            )
            tested = table(arms[1:], metric=METRICS[:6], seconds=known.lengths.seconds)
            return study.lengths(known, changes, tested)
        case "robustness":
            hard = list(conditions(Robustness()))
            changes = pd.concat(
                table(arms, metric=["stoi"]).assign(condition=name, amount=amount)
                for name, amount in hard
            )
            names = {name: f"change_{name}" for name in ("low", "high")}
            drawn = changes.rename(columns={"difference": "change", **names})
            drawn = drawn.assign(low=drawn["change_low"])
            return robustness(known, "window", drawn, changes)
        case "verdicts":
            rows = table(arms[1:], metric=METRICS, point=POINTS)
            kinds = rng.choice(["worse", "better", "equivalent", "undetermined"], len(rows))
            roles = rng.choice(["confirmatory", "control"], len(rows))
            columns = {"effect": "difference", "test": "main", "margin": 0.05}
            return verdicts(known, rows.assign(verdict=kinds, role=roles, **columns))
        case "codebook":
            levels = [
                {"variant": name, "stage": stage, "dimension": place, "level": level, "share": 0.25}
                for name in arms
                for stage in (1, 2)
                for place in range(1, 13)
                for level in range(4)
            ]
            return study.codebook(
                known, pd.DataFrame(levels).assign(levels=4, seed=1, point="native")
            )
        case "rate_distortion":
            rates = table(arms, metric=METRICS, point=POINTS)
            nominal = dict(zip(POINTS, (2400.0, 4800.0, 3100.0, 3102.0), strict=True))
            return rate_distortion(
                known, rates.assign(bitrate=rates["point"].map(nominal)), summary
            )
        case _:
            labels = np.array(["reference", *arms])
            levels = np.zeros((len(labels), 20, 30), np.float16)
            spectra = {"utterance": np.array("test001-0001"), "labels": labels}
            return study.spectrograms(
                known, spectra | {"hop": np.array(0.1), "top": np.array(8000.0), "levels": levels}
            )


@pytest.mark.parametrize("arms", CASES.values(), ids=CASES)
@pytest.mark.parametrize("kind", KINDS)
def test_no_text_meets_another_or_leaves_the_page(kind: str, arms: list[str]) -> None:
    with style.styled():
        assert illegible(draw(kind, arms)) == []


floats = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(st.lists(floats, min_size=1, max_size=9), st.lists(floats, max_size=9))
def test_an_axis_holds_its_own_values_and_no_others_make_it_wide(
    own: list[float], others: list[float]
) -> None:
    low, high = style.limits(own, [*others, float("nan")])
    assert low < min(own)
    assert max(own) < high
    span = (max(own) - min(own)) or abs(max(own)) or 1.0
    assert high - low <= 1.1 * 3 * span * (1 + 1e-9)
    reach = [value for value in others if min(own) - span <= value <= max(own) + span]
    assert all(low < value < high for value in reach)


@given(st.lists(st.text("abc", min_size=1, max_size=30), min_size=1, max_size=60))
def test_lines_are_wrapped_to_the_page_and_lose_no_word(words: list[str]) -> None:
    lines = style.wrapped(" ".join(words))
    assert " ".join(lines).split(" ") == words
    assert all(style.width(line, style.LARGE) < style.PAGE for line in lines)


def test_the_eye_sees_what_meets_and_what_leaves_the_page() -> None:
    figure = Figure(figsize=(2, 1), dpi=100)
    figure.text(0.1, 0.5, "first")
    figure.text(0.2, 0.5, "second")
    figure.text(0.9, 0.1, "outside")
    assert sorted(illegible(figure)) == [
        "leaves the page: 'outside'",
        "overlap: 'first' and 'second'",
    ]
