"""Tables of a study from its scores: per variant and metric, failures, coverage.

Means are of rows whose status is ok. A failure is counted and never imputed; an `identical` row
(decoded = reference, SI-SDR of +inf) has no place on the scale and is counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from taae.analysis.statistics import complete, holm, mean_interval
from taae.analysis.tables.rows import Groups, contrasted, groups, with_settings
from taae.codec.attention_window import window_sides
from taae.evaluation.metrics import LEFT_OUT, METRICS, Status
from taae.study.checks import training_coverage
from taae.study.study import Study

BEHIND = ["behind", "behind_low", "behind_high", "p_best"]  # of the best variant
SUMMARY_COLUMNS = [
    *["variant", "kind", "bitrate", "metric", "direction", "n_utterances", "n_speakers", "n_seeds"],
    *["n_failed", "n_identical", "mean", "sd", "median", "low", "high", "method", "confidence"],
    *["bootstrap_low", "bootstrap_high", "resamples", "resampling_seed", "scope", *BEHIND, "note"],
]


def summary(
    scores: pd.DataFrame, study: Study, names: Sequence[str] = (), metrics: Sequence[str] = ()
) -> pd.DataFrame:
    """Return a row per variant or other codec and metric: all of the study where none are given.

    results/README.md has its columns.
    """
    by_metric = groups(scores)
    names, metrics = names or [*study.variants, *study.codecs], metrics or study.metrics.names
    rows = []
    for name, metric in product(names, metrics):
        found = by_metric.get((name, metric), scores.iloc[:0])
        absent = found[found["status"] == Status.NOT_INSTALLED]
        left_out = int(found["status"].isin(LEFT_OUT).sum())
        finite = found.dropna(subset="value")
        values = complete(finite)
        identical = int((found["status"] == Status.IDENTICAL).sum())
        measured = float(found["bitrate"].iloc[0]) if len(found) else np.nan
        ordered = np.sort(values["value"].to_numpy())
        row = {
            "variant": name,
            "kind": "variant" if name in study.variants else "codec",
            "bitrate": study.variants[name].bitrate() if name in study.variants else measured,
            "metric": metric,
            "n_utterances": values["utterance"].nunique(),
            "n_failed": len(found) - len(values) - identical - len(absent) - left_out,
            "n_identical": identical,
            "sd": ordered.std(ddof=1) if len(ordered) > 1 else np.nan,
            "median": np.median(ordered) if len(ordered) else np.nan,
            "note": f"not installed: {absent['message'].iloc[0]}" if len(absent) else "",
        }
        rows.append(row | vars(mean_interval(finite, study.statistics)))
    table = with_settings(pd.DataFrame(rows, columns=SUMMARY_COLUMNS), study.statistics)
    table[BEHIND] = _behind_best(table, by_metric, study)
    return table


def _behind_best(summary: pd.DataFrame, found: Groups, study: Study) -> pd.DataFrame:
    """Return how far each variant lies behind the best one of each metric, a row per row.

    `behind` is the paired difference from the best variant, with its interval; `p_best` its p
    value, Holm's over the variants, since the best is not known beforehand. The best has none, a
    difference that is zero throughout has 1. Other codecs are no part of the contest: they have
    the difference alone.
    """
    rows = {}
    for _, here in summary.dropna(subset="mean").groupby("metric", sort=False):
        contest = here[here["kind"] == "variant"]
        if contest.empty:
            continue
        metric = str(here["metric"].iloc[0])
        best = str(contest["variant"].iloc[(contest["mean"] * METRICS[metric].better).argmax()])
        tested = {
            row.Index: contrasted(
                found,
                {str(row.variant): 1, best: -1},
                metric,
                study.seedless,
                study.statistics,
            )
            for row in here[here["variant"] != best].itertuples()
        }
        p = pd.Series(
            {
                place: 1.0 if one.status == "constant" and one.mean == 0 else one.p
                for place, one in tested.items()
                if place in contest.index
            },
            dtype=float,
        )
        adjusted = pd.Series(holm(p), p.index)
        for place, one in tested.items():
            limits = {"behind": one.mean, "behind_low": one.low, "behind_high": one.high}
            rows[place] = limits | {"p_best": adjusted.get(place, np.nan)}
    return pd.DataFrame.from_dict(rows, "index", columns=BEHIND, dtype=float).reindex(summary.index)


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
