"""Tables of a study from its scores: per variant, against the reference, failures, coverage.

Means are of rows whose status is ok. A failure is counted and never imputed; an `identical` row
(decoded = reference, SI-SDR of +inf) has no place on the scale and is counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from taae.analysis.run_files import share_seeds, untrained, usable
from taae.analysis.statistics import Comparison, compare, complete, holm, mean_interval
from taae.codec.attention_window import window_sides
from taae.evaluation.metrics import METRICS, Status
from taae.study.checks import training_coverage
from taae.study.config import Ablation, Statistics
from taae.study.study import Study
from taae.utils.errors import TaaeError
from taae.utils.log import log

SUMMARY_COLUMNS = [
    *["variant", "bitrate", "metric", "direction", "n_utterances", "n_speakers", "n_seeds"],
    *["n_failed", "n_identical", "mean", "sd", "median", "low", "high", "method", "confidence"],
    *["bootstrap_low", "bootstrap_high", "resamples", "resampling_seed", "scope", "p_best", "note"],
]
COMPARISON_COLUMNS = [
    *["ablation", "reference", "variant", "control", "primary", "metric", "direction"],
    *["n_utterances", "n_speakers", "n_seeds", "n_excluded", "difference"],
    *["low", "high", "method", "confidence", "statistic", "df", "p", "p_holm", "family"],
    *["wilcoxon_p", "d_z", "rank_biserial", "noise", "status", "scope"],
    *["bootstrap_low", "bootstrap_high", "resamples", "resampling_seed"],
]
DETECTABLE = 1.960 + 0.842  # normal quantiles: two-sided 5 %, power 80 %
UNTESTED = {
    "no_pairs": "no score of the same utterance, speaker and seed",
    "too_few": "one speaker; the unit of the test is the speaker",
    "constant": "the differences of all speakers are equal",
}

Groups = dict[Any, pd.DataFrame]  # rows by variant and metric


def summary(
    scores: pd.DataFrame, study: Study, names: Sequence[str] = (), metrics: Sequence[str] = ()
) -> pd.DataFrame:
    """Return a row per variant or other codec and metric: all of the study where none are given.

    results/README.md has its columns.
    """
    groups = _groups(scores)
    names, metrics = names or [*study.variants, *study.codecs], metrics or study.metrics.names
    rows = []
    for name, metric in product(names, metrics):
        found = groups.get((name, metric), scores.iloc[:0])
        absent = found[found["status"] == Status.NOT_INSTALLED]
        finite = found.dropna(subset="value")
        values = complete(finite)
        identical = int((found["status"] == Status.IDENTICAL).sum())
        measured = float(found["bitrate"].iloc[0]) if len(found) else np.nan
        ordered = np.sort(values["value"].to_numpy())
        row = {
            "variant": name,
            "bitrate": study.variants[name].bitrate() if name in study.variants else measured,
            "metric": metric,
            "n_utterances": values["utterance"].nunique(),
            "n_failed": len(found) - len(values) - identical - len(absent),
            "n_identical": identical,
            "sd": ordered.std(ddof=1) if len(ordered) > 1 else np.nan,
            "median": np.median(ordered) if len(ordered) else np.nan,
            "note": f"not installed: {absent['message'].iloc[0]}" if len(absent) else "",
        }
        rows.append(row | vars(mean_interval(finite, study.statistics)))
    table = _with_settings(pd.DataFrame(rows, columns=SUMMARY_COLUMNS), study.statistics)
    table["p_best"] = _p_best(table, groups, study)
    return table


def _p_best(summary: pd.DataFrame, groups: Groups, study: Study) -> pd.Series:
    """Return the p value of each row's paired test against the best of its metric.

    NaN where there is none; a difference that is zero throughout has 1.
    """
    found = pd.Series(np.nan, summary.index)
    for metric in summary.dropna(subset="mean")["metric"].unique():
        rows = summary[summary["metric"] == metric]
        best = rows.loc[(rows["mean"] * METRICS[metric].better).idxmax(), "variant"]
        for row in rows[rows["variant"] != best].itertuples():
            names = str(row.variant), str(best)
            tested = _compare(groups, names, metric, study.seedless, study.statistics)
            same = tested.status == "constant" and tested.mean == 0
            found[row.Index] = 1.0 if same else tested.p
    return found


def comparisons(scores: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return a row per ablation, variant and metric: the variant minus the reference.

    `p_holm` is adjusted over all rows (`family`), which is the family the study declares. `noise`
    is what training does by chance, see `with_noise`. Scores without a seed are repeated at every
    seed of the other.
    """
    pairs = labels(study.ablations, study.metrics.names)
    return with_noise(_compared(scores, pairs, study.statistics, study.seedless))


def comparisons_at(
    points: Mapping[str, pd.DataFrame], study: Study, metrics: Sequence[str]
) -> pd.DataFrame:
    """Return `comparisons` of the arms that are decoded at other operating points, at each point.

    Args:
        points: the scores of all these arms, by operating point.
    """
    probed = {
        name: study.ablations[name] for name in study.bitrates.ablations if name in study.ablations
    }
    pairs = labels(probed, metrics)
    tables = {
        point: with_noise(_compared(scores, pairs, study.statistics, study.seedless))
        for point, scores in points.items()
    }
    table = pd.concat(tables, names=["point", None]).reset_index("point").reset_index(drop=True)
    return table.assign(p_holm=holm(table["p"]), family=len(table))


def labels(ablations: Mapping[str, Ablation], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return what stands in front of each row: every variant of ablations, with every metric."""
    return [
        {
            "ablation": name,
            "reference": ablation.reference,
            "variant": variant,
            "control": variant in ablation.controls,
            "primary": metric == ablation.primary,
            "metric": metric,
        }
        for name, ablation in ablations.items()
        for variant, metric in product(ablation.variants, metrics)
    ]


def with_noise(table: pd.DataFrame) -> pd.DataFrame:
    """Fill in the training noise of each metric: the RMS difference of the controls.

    Controls are known to change nothing: they show what two trainings differ by. NaN without any.
    """
    squares = table.loc[table["control"]].groupby("metric")["difference"].agg(_mean_square)
    return table.assign(noise=table["metric"].map(squares) ** 0.5)


def noise(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Return a row per metric: what the study can show beyond the noise of its trainings.

    Columns: metric; controls, the number of their comparisons; noise, see `with_noise`; and
    detectable, (1.96 + 0.84) x noise: the smallest true difference that a test at 5 % finds with a
    power of 80 %, were the noise known.
    """
    controls = comparisons.loc[comparisons["control"]].dropna(subset="difference")
    found = controls.groupby("metric", sort=False)
    table = pd.DataFrame({"controls": found.size(), "noise": found["noise"].first()})
    return table.assign(detectable=DETECTABLE * table["noise"]).reset_index()


def _mean_square(values: pd.Series) -> float:
    return float((values**2).mean())


def compare_against(scores: pd.DataFrame, baseline: str, statistics: Statistics) -> pd.DataFrame:
    """Return `comparisons` of every other variant of the scores with one, on every metric.

    `taae.analysis.run_files.untrained` tells which of them have no seed.
    """
    names = sorted(scores["variant"].unique())
    if baseline not in names:
        raise TaaeError(f"scores: no variant '{baseline}' to compare with; there are {names}")
    names.remove(baseline)
    if not names:
        raise TaaeError(f"scores: only '{baseline}' is there; nothing to compare it with")
    metrics = [metric for metric in METRICS if metric in set(scores["metric"])]
    labels = [
        {"reference": baseline, "variant": name, "metric": metric}
        for name, metric in product(names, metrics)
    ]
    table = _compared(scores, labels, statistics, untrained(scores))
    for status, why in UNTESTED.items():
        names = sorted(table.loc[table["status"] == status, "variant"].unique())
        if names:
            log(f"not tested against {baseline}: {', '.join(names)}: {why}")
    return table.drop(columns=["ablation", "control", "primary", "noise"])


def _compared(
    scores: pd.DataFrame, labels: list[dict[str, Any]], statistics: Statistics, seedless: Set[str]
) -> pd.DataFrame:
    groups = _groups(scores)
    rows = []
    for label in labels:
        names = label["variant"], label["reference"]
        found = _compare(groups, names, label["metric"], seedless, statistics)
        rows.append(label | vars(found) | {"difference": found.mean})
    table = _with_settings(pd.DataFrame(rows, columns=COMPARISON_COLUMNS), statistics)
    return table.assign(p_holm=holm(table["p"]), family=len(table))


def _compare(
    groups: Groups, names: tuple[str, str], metric: str, seedless: Set[str], statistics: Statistics
) -> Comparison:
    """Compare the first of two variants with the second."""
    nothing = next(iter(groups.values())).iloc[:0]
    one, other = (groups.get((name, metric), nothing) for name in names)
    return compare(*share_seeds(names, (one, other), seedless), statistics)


def _groups(scores: pd.DataFrame) -> Groups:
    """Return the rows by variant and metric; value is NaN where no mean could contain it."""
    values = scores["value"].where(usable(scores))
    return dict(iter(scores.assign(value=values).groupby(["variant", "metric"])))


def _with_settings(table: pd.DataFrame, statistics: Statistics) -> pd.DataFrame:
    """Fill in the direction of the metrics, and the settings of the statistics."""
    better = table["metric"].map({name: metric.better for name, metric in METRICS.items()})
    return table.assign(
        direction=better.map({1: "higher", -1: "lower"}),
        confidence=statistics.confidence,
        resamples=statistics.resamples,
        resampling_seed=statistics.seed,
    )


def failures(scores: pd.DataFrame) -> pd.DataFrame:
    """Count failed rows per variant, metric and status, with the first one's words."""
    keys = ["variant", "metric", "status"]
    failed = scores[~scores["status"].isin([Status.OK, Status.IDENTICAL])]
    return (
        failed.sort_values([*keys, "seed", "utterance"])
        .groupby(keys, as_index=False)
        .agg(n=("status", "size"), utterance=("utterance", "first"), message=("message", "first"))
    )


def coverage(study: Study) -> pd.DataFrame:
    """Return what each variant's window sees at each rate of the codec in training."""
    rows = []
    for name, variant in study.variants.items():
        window, causal = variant.attention.window, variant.attention.causal
        sides = window_sides(window, causal)
        for rate, tokens, share in training_coverage(variant):
            rows.append((name, rate, tokens, window, *sides, causal, share))
    columns = ["variant", "rate_hz", "tokens", "window", "left", "right", "causal", "share_removed"]
    return pd.DataFrame(rows, columns=columns)
