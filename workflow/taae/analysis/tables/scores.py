"""Tables of a study from its scores: per variant, against the reference, failures, coverage.

Means are of rows whose status is ok. A failure is counted and never imputed; an `identical` row
(decoded = reference, SI-SDR of +inf) has no place on the scale and is counted apart.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from taae.analysis.score_files import share_seeds, untrained
from taae.analysis.statistics import PAIR, compare, complete, holm, mean_interval
from taae.codec.attention_window import window_sides
from taae.evaluation.metrics import METRICS, Status
from taae.study.checks import training_coverage
from taae.study.config import Statistics
from taae.study.study import Study
from taae.utils.errors import TaaeError
from taae.utils.log import log

COMPARISON_COLUMNS = [
    *["direction", "n_utterances", "n_speakers", "n_seeds", "n_excluded", "difference"],
    *["low", "high", "method", "confidence", "statistic", "df", "p", "p_holm", "family"],
    *["wilcoxon_p", "d_z", "rank_biserial", "status", "scope"],
    *["bootstrap_low", "bootstrap_high", "resamples", "resampling_seed"],
]
UNTESTED = {
    "no_pairs": "no score of the same utterance, speaker and seed",
    "too_few": "one speaker; the unit of the test is the speaker",
    "constant": "the differences of all speakers are equal",
}


def summary(scores: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return a row per variant or other codec and metric of the study.

    `mean` is over speakers, with a t interval `low` to `high` and a bootstrap one for comparison
    (see `taae.analysis.statistics`); `sd` and `median` describe its utterances. `bitrate` is
    in bits/s, measured where it is a codec's. `n_failed` and `n_identical` count rows that no
    statistic contains; with three or more seeds `n_failed` has values too, of speakers who lack a
    seed. `p_best` is of the paired test against the best mean of the metric, not corrected; `note`
    says if a codec is not installed.
    """
    groups = dict(iter(scores.groupby(["variant", "metric"])))
    rows = []
    for name in [*study.variants, *study.codecs]:
        for metric in study.metrics.names:
            found = groups.get((name, metric), scores.iloc[:0])
            absent = found[found["status"] == Status.NOT_INSTALLED]
            finite = _finite(found).dropna(subset="value")
            values = complete(finite)
            identical = int((found["status"] == Status.IDENTICAL).sum())
            ordered = np.sort(values["value"].to_numpy())
            interval = mean_interval(finite, study.statistics)
            rows.append(
                {
                    "variant": name,
                    "bitrate": _bitrate(name, study, found),
                    "metric": metric,
                    "direction": _direction(metric),
                    "n_utterances": values["utterance"].nunique(),
                    "n_speakers": interval.n_speakers,
                    "n_seeds": interval.n_seeds,
                    "n_failed": len(found) - len(values) - identical - len(absent),
                    "n_identical": identical,
                    "mean": interval.mean,
                    "sd": ordered.std(ddof=1) if len(ordered) > 1 else np.nan,
                    "median": np.median(ordered) if len(ordered) else np.nan,
                    "low": interval.low,
                    "high": interval.high,
                    "method": interval.method,
                    "confidence": study.statistics.confidence,
                    "bootstrap_low": interval.bootstrap_low,
                    "bootstrap_high": interval.bootstrap_high,
                    "resamples": study.statistics.resamples,
                    "resampling_seed": study.statistics.seed,
                    "scope": interval.scope,
                    "p_best": np.nan,
                    "note": f"not installed: {absent['message'].iloc[0]}" if len(absent) else "",
                }
            )
    table = pd.DataFrame(rows)
    for metric in study.metrics.names:
        here = table["metric"] == metric
        table.loc[here, "p_best"] = _against_best(table[here], metric, groups, study)
    return table


def _bitrate(name: str, study: Study, found: pd.DataFrame) -> float:
    if name in study.variants:
        return study.variants[name].bitrate
    return float(found["bitrate"].iloc[0]) if len(found) else np.nan


def _against_best(
    rows: pd.DataFrame, metric: str, groups: dict[Any, pd.DataFrame], study: Study
) -> list[float]:
    """Return the p value of each row's paired test against the best; NaN where there is none.

    A difference that is zero throughout has 1.
    """
    means = rows["mean"] * METRICS[metric].better
    if means.isna().all():
        return [np.nan] * len(rows)
    best = str(rows["variant"].iloc[int(np.nanargmax(means))])
    found = []
    for name in map(str, rows["variant"]):
        if name == best or (name, metric) not in groups:
            found.append(np.nan)
            continue
        values = _finite(groups[name, metric]), _finite(groups[best, metric])
        pair = share_seeds((name, best), values, study.seedless)
        comparison = compare(*pair, study.statistics)
        same = comparison.status == "constant" and comparison.interval.mean == 0
        found.append(1.0 if same else comparison.p)
    return found


def comparisons(scores: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return a row per ablation, variant and metric: the variant minus the reference.

    `p_holm` is adjusted over all rows (`family`), which is the family the study declares. Scores
    without a seed are repeated at every seed of the other.
    """
    labels = [
        {
            "ablation": name,
            "reference": ablation.reference,
            "variant": variant,
            "control": variant in ablation.controls,
            "primary": metric == ablation.primary,
            "metric": metric,
        }
        for name, ablation in study.ablations.items()
        for variant in ablation.variants
        for metric in study.metrics.names
    ]
    keys = ["ablation", "reference", "variant", "control", "primary", "metric"]
    return _compared(scores, keys, labels, study.statistics, study.seedless)


def compare_against(scores: pd.DataFrame, baseline: str, statistics: Statistics) -> pd.DataFrame:
    """Return `comparisons` of every other variant of the scores with one, on every metric.

    `taae.analysis.score_files.untrained` tells which of them have no seed.
    """
    names = sorted(scores["variant"].unique())
    if baseline not in names:
        raise TaaeError(f"scores: no variant '{baseline}' to compare with; there are {names}")
    metrics = set(scores["metric"])
    labels = [
        {"reference": baseline, "variant": name, "metric": metric}
        for name in names
        if name != baseline
        for metric in METRICS
        if metric in metrics
    ]
    if not labels:
        raise TaaeError(f"scores: only '{baseline}' is there; nothing to compare it with")
    keys = ["reference", "variant", "metric"]
    table = _compared(scores, keys, labels, statistics, untrained(scores))
    for status, why in UNTESTED.items():
        names = sorted(table.loc[table["status"] == status, "variant"].unique())
        if names:
            log(f"not tested against {baseline}: {', '.join(names)}: {why}")
    return table


def _compared(
    scores: pd.DataFrame,
    keys: list[str],
    labels: list[dict[str, Any]],
    statistics: Statistics,
    seedless: Set[str],
) -> pd.DataFrame:
    groups = {key: _finite(rows) for key, rows in scores.groupby(["variant", "metric"])}
    nothing = scores.iloc[:0][[*PAIR, "value"]]
    rows = []
    for label in labels:
        names = label["variant"], label["reference"]
        variant, reference = (groups.get((name, label["metric"]), nothing) for name in names)
        pair = share_seeds(names, (variant, reference), seedless)
        comparison = asdict(compare(*pair, statistics))
        interval = comparison.pop("interval")
        difference = {"difference": interval["mean"], "direction": _direction(label["metric"])}
        rows.append(label | difference | interval | comparison)
    table = pd.DataFrame(rows, columns=keys + COMPARISON_COLUMNS)
    table["p_holm"] = holm(table["p"])
    table["family"] = len(table)
    table["confidence"] = statistics.confidence
    table["resamples"] = statistics.resamples
    table["resampling_seed"] = statistics.seed
    return table


def _finite(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `PAIR` and value, NaN where a row has none that a mean could contain."""
    usable = (rows["status"] == Status.OK) & np.isfinite(rows["value"])
    return rows[PAIR].assign(value=rows["value"].where(usable))


def _direction(metric: str) -> str:
    return "higher" if METRICS[metric].better > 0 else "lower"


def failures(scores: pd.DataFrame) -> pd.DataFrame:
    """Count failed rows per variant, metric and status, with the first one's words."""
    failed = scores[~scores["status"].isin([Status.OK, Status.IDENTICAL])]
    return (
        failed.sort_values(["variant", "metric", "status", "seed", "utterance"])
        .groupby(["variant", "metric", "status"], as_index=False)
        .agg(n=("status", "size"), utterance=("utterance", "first"), message=("message", "first"))
    )


def coverage(study: Study) -> pd.DataFrame:
    """Return what each variant's window sees at each rate of the codec in training.

    `tokens` are those of a training segment; `left` and `right` count keys beside the query;
    `share_removed` is the share of the pairs of full attention that the window removes.
    """
    rows = []
    for name, variant in study.variants.items():
        attention = variant.attention
        left, right = window_sides(attention.window, attention.causal)
        for rate, tokens, share in training_coverage(variant):
            rows.append(
                {
                    "variant": name,
                    "rate_hz": rate,
                    "tokens": tokens,
                    "window": attention.window,
                    "left": left,
                    "right": right,
                    "causal": attention.causal,
                    "share_removed": share,
                }
            )
    columns = ["variant", "rate_hz", "tokens", "window", "left", "right", "causal", "share_removed"]
    return pd.DataFrame(rows, columns=columns)
