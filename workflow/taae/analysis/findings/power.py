"""What a study could show: the smallest detectable differences, planned from a pilot's tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pandas as pd

from taae.analysis.findings.table import evidence, records
from taae.analysis.findings.verdict import Evidence
from taae.analysis.statistics import LEAST_DF
from taae.analysis.training_noise import pools
from taae.evaluation.metrics import METRICS
from taae.study.study import Study

COLUMNS = ["metric", "margin", "speakers", "seeds", "sampling", "noise", "detectable", "enough"]


def power_table(
    comparisons: pd.DataFrame, study: Study, speakers: Sequence[int], seeds: Sequence[int]
) -> pd.DataFrame:
    """Return a row per metric and plan: what so many speakers and seeds would detect.

    `sampling` is the standard error over speakers and `noise` that over trainings, both of the
    median arm of the pilot; `detectable` is the smallest true difference that would be shown with a
    power of 80 %, uncorrected; `enough` tells whether that is within the margin.

    Args:
        comparisons: comparisons.csv of a pilot.
        study: the pilot, with margins. The number of its arms that are trained alike, over which
            the noise of several seeds is pooled, is taken for the number of the plan.
        speakers: numbers of test speakers.
        seeds: numbers of trainings per arm.
    """
    rated = comparisons["metric"].map(lambda name: METRICS[name].rated)
    control = comparisons["control"].astype(bool)
    tested = comparisons[(comparisons["status"] == "ok") & ~control & ~rated]
    arms = max(map(len, pools(study)), default=1)
    rows = []
    for metric, here in tested.groupby("metric", sort=False):
        pilot = _median(here)
        margin = study.statistics.margins.get(str(metric), math.nan)
        for n_speakers, n_seeds in product(speakers, seeds):
            more = n_speakers / pilot.n_speakers
            times = n_seeds / pilot.n_seeds
            pooled = float((arms - 1) * (n_seeds - 1))
            # A noise of few runs is the best guess that there is.
            planned = replace(pilot, noise_df=max(pilot.noise_df, pooled, LEAST_DF))
            shown = float(planned.detectable(study.statistics.confidence, more, times))
            rows.append(
                {
                    "metric": metric,
                    "margin": margin,
                    "speakers": n_speakers,
                    "seeds": n_seeds,
                    "sampling": pilot.error / more**0.5,
                    "noise": pilot.noise / times**0.5,
                    "detectable": shown,
                    "enough": shown <= margin,
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _median(rows: pd.DataFrame) -> Evidence:
    """Return the evidence of the arm whose error is the median one, of those with a known noise."""
    found = sorted(map(evidence, records(rows)), key=lambda each: each.error)
    known = [each for each in found if each.noise > 0] or found
    return known[(len(known) - 1) // 2]
