"""Bjontegaard deltas of the arms from their references, over their operating points.

A curve is of one kind of grid: `own` has the native point and the points on the grid of the
training's own rounding, `stages` the native point and those of a residual FSQ. A point that costs
more bits than another one and has no more quality is not on the curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from taae.analysis.bjontegaard import (
    FEWEST_POINTS,
    Deltas,
    Points,
    between_trainings,
    deltas,
    undominated,
)
from taae.analysis.pooling import WEIGHT, is_weighted
from taae.analysis.run_files import collect, usable
from taae.analysis.statistics import RunVariance
from taae.analysis.training_noise import same_as_reference
from taae.codec.operating_points import NATIVE, OWN, stages_of
from taae.evaluation.metrics import METRICS
from taae.study.config import Ablation
from taae.study.study import Study

# What counts as bits, and its column in rates.csv: of files coded with the better model of two, of
# files coded without the frame before, and of none.
BITS = {"coded": "coded_bps", "coded_order0": "coded_order0_bps", "nominal": "nominal_bps"}
COLUMNS = [
    *["ablation", "reference", "variant", "control", "curve", "metric", "direction", "bits"],
    *["reference_points", "points", "n_utterances", "n_speakers", "n_seeds"],
    *["overlap_low", "overlap_high", "bd_rate", "low", "high", "noise", "noise_df"],
    *["bd_quality", "bd_quality_low", "bd_quality_high", "bd_quality_noise"],
    *["method", "confidence", "status", "scope"],
]
METHOD = "PCHIP, jackknife over speakers"


@dataclass(frozen=True)
class Spent:
    """What an arm reaches and spends, means over seeds; rows are (speaker, utterance).

    `quality` and `bits` have a column per operating point, `seconds` is the length; `weight` is
    given where the quality is a rate, which is pooled (`taae.analysis.pooling`).
    """

    quality: pd.DataFrame
    bits: pd.DataFrame
    seconds: pd.Series
    weight: pd.Series | None = None

    def on(self, points: list[str]) -> Spent:
        """Return the same at some operating points, over utterances with a value at all of them."""
        quality = self.quality[points].dropna()
        bits = self.bits[points].loc[quality.index]
        return Spent(quality, bits, self.seconds, self.weight)

    def at(self, utterances: pd.Index) -> Points:
        """Return the operating points by speaker, of some utterances."""
        quality, bits = self.quality.loc[utterances], self.bits.loc[utterances]
        means = quality.groupby("speaker").mean()
        if self.weight is not None:
            weight = self.weight.loc[utterances]
            total = weight.groupby("speaker").sum()
            means = quality.mul(weight, axis=0).groupby("speaker").sum().div(total, axis=0)
        return Points(
            means.to_numpy(dtype=np.float64).T,
            bits.groupby("speaker").sum().to_numpy(dtype=np.float64).T,
            self.seconds.loc[utterances].groupby("speaker").sum().to_numpy(dtype=np.float64),
        )


def bd_rate_table(scores: Path, rates: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return a row per variant of `bitrates.ablations`, metric and kind of bits.

    Args:
        scores: folder with VARIANT/seedSEED/POINT.csv.
        rates: rows of the runs' rates.csv, with variant, seed and point.
        study: with `bitrates`.
    """
    metrics = [name for name in study.metrics.names if name in study.bitrates.metrics]
    ablations = {
        name: study.ablations[name] for name in study.bitrates.ablations if name in study.ablations
    }
    curves = curves_of(study.bitrates.points)
    arms = dict.fromkeys(arm for ablation in ablations.values() for arm in ablation.arms)
    found = {
        (arm, metric, bits): one
        for arm in arms
        for (metric, bits), one in _spent(scores, rates, arm, metrics, study).items()
    }
    rows = []
    for name, ablation in ablations.items():
        for curve, metric, bits in product(curves, metrics, BITS):
            arms_here = {arm: found[arm, metric, bits].on(curves[curve]) for arm in ablation.arms}
            label = {
                "ablation": name,
                "reference": ablation.reference,
                "curve": curve,
                "metric": metric,
                "direction": "higher" if METRICS[metric].better > 0 else "lower",
                "bits": bits,
                "method": METHOD,
                "confidence": study.statistics.confidence,
            }
            rows += [label | row for row in _compared(arms_here, ablation, metric, study)]
    return pd.DataFrame(rows, columns=COLUMNS)


def curves_of(points: Sequence[str]) -> dict[str, list[str]]:
    """Return the points of each curve that operating points make, of three or more points."""
    own = [point for point in points if all(stage.scale == OWN for stage in stages_of(point))]
    curves = {
        "own": [NATIVE, *own],
        "stages": [NATIVE, *(point for point in points if point not in own)],
    }
    return {name: curve for name, curve in curves.items() if len(curve) >= FEWEST_POINTS}


def _compared(
    arms: Mapping[str, Spent], ablation: Ablation, metric: str, study: Study
) -> list[dict[str, Any]]:
    """Return a row per variant of an ablation on one curve, by one metric and kind of bits."""
    better, reference = METRICS[metric].better, arms[ablation.reference]
    same = same_as_reference(ablation, study)
    rows, found = [], {}
    for variant in ablation.variants:
        row, deltas_of = _pair(reference, arms[variant], better)
        seeds = (len(study.seeds_of(arm)) for arm in (ablation.reference, variant))
        row |= {"variant": variant, "control": variant in ablation.controls, "n_seeds": min(seeds)}
        rows.append(row)
        if deltas_of:
            found[variant] = deltas_of
    for row in rows:
        if row["variant"] in found:
            # A control is judged by the others, or it would vouch for itself.
            others = [name for name in same if name in found and name != row["variant"]]
            row |= _columns(
                found[row["variant"]],
                between_trainings([found[name].log_rate.value for name in others]),
                between_trainings([found[name].quality.value for name in others]),
                better,
                study.statistics.confidence,
            )
    return rows


def _pair(reference: Spent, arm: Spent, better: int) -> tuple[dict[str, Any], Deltas | None]:
    """Return the points of two curves as columns, over the utterances of both, and their deltas."""
    shared = reference.quality.index.intersection(arm.quality.index)
    speakers = shared.get_level_values("speaker").nunique()
    row: dict[str, Any] = {"n_utterances": len(shared), "n_speakers": speakers}
    if not speakers:
        return row | {"status": "no_pairs"}, None
    curves: list[Points] = []
    for column, one in (("reference_points", reference), ("points", arm)):
        points = one.at(shared)
        points = Points(better * points.quality, points.bits, points.seconds)
        chosen = undominated(points.rates(), points.qualities())
        row[column] = " ".join(one.quality.columns[chosen])
        curves.append(points.at(chosen))
    if min(len(points.bits) for points in curves) < FEWEST_POINTS:
        return row | {"status": "few_points"}, None
    return row, deltas(curves[0], curves[1])


def _columns(
    found: Deltas,
    rate_noise: RunVariance | None,
    quality_noise: RunVariance | None,
    better: int,
    confidence: float,
) -> dict[str, Any]:
    """Return deltas as columns: rates in per cent, quality in the direction of the metric."""
    # The means over seeds of each control are one value, however many seeds there are.
    noises = [
        noise if noise and noise.is_known(1) else None for noise in (rate_noise, quality_noise)
    ]
    low, high = found.log_rate.interval(confidence, noises[0])
    quality = sorted(better * one for one in found.quality.interval(confidence, noises[1]))
    overlap = sorted([better * found.overlap_low, better * found.overlap_high])
    if np.isnan(found.log_rate.value):
        status = "no_overlap"
    else:
        status = "ok" if np.isfinite(low) else "no_interval"
    return {
        "bd_rate": 100 * np.expm1(found.log_rate.value),
        "low": 100 * np.expm1(low),
        "high": 100 * np.expm1(high),
        "noise": 100 * np.expm1(rate_noise.variance**0.5) if rate_noise else np.nan,
        "noise_df": rate_noise.df if rate_noise else np.nan,
        "bd_quality": better * found.quality.value,
        **dict(zip(["bd_quality_low", "bd_quality_high"], quality, strict=True)),
        "bd_quality_noise": quality_noise.variance**0.5 if quality_noise else np.nan,
        **dict(zip(["overlap_low", "overlap_high"], overlap, strict=True)),
        "status": status,
        "scope": "over trainings" if noises[0] else "fixed checkpoint",
    }


def _spent(
    scores: Path, rates: pd.DataFrame, arm: str, metrics: list[str], study: Study
) -> dict[tuple[str, str], Spent]:
    """Return what an arm reaches and spends, by metric and kind of bits.

    An utterance without a value at some seed has none at that point.
    """
    tables = []
    for seed, point in product(study.seeds_of(arm), study.points(arm)):
        tables.append(collect([scores / arm / f"seed{seed}" / f"{point}.csv"]).assign(point=point))
    values = pd.concat(tables, ignore_index=True)
    values["value"] = values["value"].where(usable(values))
    own = rates[rates["variant"] == arm]
    means = own.pivot_table(index="utterance", columns="point", values=[*BITS.values()])
    lengths = own.groupby("utterance")["seconds"].first()
    found = {}
    for metric in metrics:
        rows = values[values["metric"] == metric]
        cells = rows.groupby(["speaker", "utterance", "point"])
        quality = cells["value"].mean(skipna=False).unstack()  # noqa: PD010 (pivot_table skips NaN)
        names = quality.index.get_level_values("utterance")
        seconds = lengths.loc[names].set_axis(quality.index)
        weight = None
        if is_weighted(rows):
            weight = rows.groupby(["speaker", "utterance"])[WEIGHT].first()
        for bits, column in BITS.items():
            spent = pd.DataFrame(means[column]).loc[names].set_axis(quality.index)
            spent = spent.mul(seconds, axis=0)
            found[metric, bits] = Spent(quality, spent, seconds, weight)
    return found
