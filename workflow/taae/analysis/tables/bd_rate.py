"""Bjontegaard deltas of the arms from their references, over their operating points.

A curve is of one kind of grid: `own` has the native point and the points on the grid of the
training's own rounding, `stages` the native point and those of a residual FSQ. A point that costs
more bits than another one and has no more quality is not on the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from taae.analysis.bjontegaard import FEWEST_POINTS, Deltas, Points, deltas, undominated
from taae.analysis.run_files import collect, usable
from taae.codec.operating_points import NATIVE, OWN, stages_of
from taae.evaluation.metrics import METRICS
from taae.study.study import Study

# What counts as bits, and its column in rates.csv: of files coded with the better model of two, of
# files coded without the frame before, and of none.
BITS = {"coded": "coded_bps", "coded_order0": "coded_order0_bps", "nominal": "nominal_bps"}
COLUMNS = [
    *["ablation", "reference", "variant", "control", "curve", "metric", "direction", "bits"],
    *["reference_points", "points", "n_utterances", "n_speakers", "n_seeds"],
    *["overlap_low", "overlap_high", "bd_rate", "low", "high", "noise", "noise_df"],
    *["bd_quality", "bd_quality_low", "bd_quality_high", "method", "confidence", "status"],
]


METHOD = "PCHIP, jackknife over speakers"


@dataclass(frozen=True)
class Spent:
    """What an arm reaches and spends, means over seeds; rows are (speaker, utterance).

    `quality` and `bits` have a column per operating point, `seconds` is the length.
    """

    quality: pd.DataFrame
    bits: pd.DataFrame
    seconds: pd.Series

    def on(self, points: list[str]) -> Spent:
        """Return the same at some operating points, over utterances with a value at all of them."""
        quality = self.quality[points].dropna()
        return Spent(quality, self.bits[points].loc[quality.index], self.seconds)

    def at(self, utterances: pd.Index) -> Points:
        """Return the operating points by speaker, of some utterances."""
        quality, bits = self.quality.loc[utterances], self.bits.loc[utterances]
        return Points(
            quality.groupby("speaker").mean().to_numpy(dtype=np.float64).T,
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
        for variant, curve, metric, bits in product(ablation.variants, curves, metrics, BITS):
            reference, arm = (
                found[each, metric, bits].on(curves[curve])
                for each in (ablation.reference, variant)
            )
            better = METRICS[metric].better
            label = {
                "ablation": name,
                "reference": ablation.reference,
                "variant": variant,
                "control": variant in ablation.controls,
                "curve": curve,
                "metric": metric,
                "direction": "higher" if better > 0 else "lower",
                "bits": bits,
                "n_seeds": min(len(study.seeds_of(arm)) for arm in (ablation.reference, variant)),
                "method": METHOD,
                "confidence": study.statistics.confidence,
            }
            rows.append(label | _compared(reference, arm, better, study.statistics.confidence))
    return _with_noise(pd.DataFrame(rows, columns=COLUMNS))


def curves_of(points: Sequence[str]) -> dict[str, list[str]]:
    """Return the points of each curve that operating points make, of three or more points."""
    own = [point for point in points if all(stage.scale == OWN for stage in stages_of(point))]
    curves = {
        "own": [NATIVE, *own],
        "stages": [NATIVE, *(point for point in points if point not in own)],
    }
    return {name: curve for name, curve in curves.items() if len(curve) >= FEWEST_POINTS}


def _compared(reference: Spent, arm: Spent, better: int, confidence: float) -> dict[str, Any]:
    """Return the columns of an arm and its reference, over the utterances of both."""
    shared = reference.quality.index.intersection(arm.quality.index)
    speakers = shared.get_level_values("speaker").nunique()
    found: dict[str, Any] = {"n_utterances": len(shared), "n_speakers": speakers}
    if not speakers:
        return found | {"status": "no_pairs"}
    curves: list[Points] = []
    for column, one in (("reference_points", reference), ("points", arm)):
        points = one.at(shared)
        points = Points(better * points.quality, points.bits, points.seconds)
        chosen = undominated(points.rates(), points.qualities())
        found[column] = " ".join(one.quality.columns[chosen])
        curves.append(points.at(chosen))
    if min(len(points.bits) for points in curves) < FEWEST_POINTS:
        return found | {"status": "few_points"}
    return found | _columns(deltas(curves[0], curves[1], confidence), better)


def _columns(found: Deltas, better: int) -> dict[str, Any]:
    """Return deltas as columns: rates in per cent, quality in the direction of the metric."""
    quality = sorted([better * found.quality_low, better * found.quality_high])
    overlap = sorted([better * found.overlap_low, better * found.overlap_high])
    status = "ok" if np.isfinite(found.rate_low) else "no_interval"
    return {
        "bd_rate": 100 * found.rate,
        "low": 100 * found.rate_low,
        "high": 100 * found.rate_high,
        "bd_quality": better * found.quality,
        **dict(zip(["bd_quality_low", "bd_quality_high"], quality, strict=True)),
        **dict(zip(["overlap_low", "overlap_high"], overlap, strict=True)),
        "status": status if np.isfinite(found.rate) else "no_overlap",
    }


def _with_noise(table: pd.DataFrame) -> pd.DataFrame:
    """Fill in what trainings differ by where nothing was changed: the reference and its controls.

    Of a control it comes from the other runs alone.
    """
    logs = table["bd_rate"].astype(float).div(100).map(np.log1p)
    for _, group in table.groupby(["ablation", "curve", "metric", "bits"], sort=False):
        controls = group.index[group["control"].astype(bool) & logs[group.index].notna()]
        for row in group.index:
            runs = np.append(0.0, logs[controls.drop(row, errors="ignore")])
            if len(runs) > 1:
                table.loc[row, "noise"] = 100 * np.expm1(np.sqrt(2 * runs.var(ddof=1)))
                table.loc[row, "noise_df"] = len(runs) - 1
    return table


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
        cells = values[values["metric"] == metric].groupby(["speaker", "utterance", "point"])
        quality = cells["value"].mean(skipna=False).unstack()  # noqa: PD010 (pivot_table skips NaN)
        names = quality.index.get_level_values("utterance")
        seconds = lengths.loc[names].set_axis(quality.index)
        for bits, column in BITS.items():
            spent = pd.DataFrame(means[column]).loc[names].set_axis(quality.index)
            spent = spent.mul(seconds, axis=0)
            found[metric, bits] = Spent(quality, spent, seconds)
    return found
