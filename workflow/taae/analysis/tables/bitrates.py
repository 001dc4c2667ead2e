"""Tables of the operating points: rate and distortion, real bitrates, use of the codebook."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from taae.analysis.run_files import RUN, collect, read_runs
from taae.analysis.tables.bd_rate import bd_rate_table
from taae.analysis.tables.scores import summary
from taae.study.study import Study


def bitrate_tables(results: Path, study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables of the operating points by name, from the files of the runs."""
    folder, runs = results / "bitrates", study.probed()
    models = list(dict.fromkeys((variant, seed) for variant, seed, _ in runs))
    rates = read_runs(folder, runs, "rates.csv")
    return {
        "bd-rate": bd_rate_table(results / "scores", rates, study),
        "rate-distortion": _rate_distortion(results / "scores", study),
        "bitrates": _bitrates(rates),
        "precision": _precision(read_runs(folder, models, "precision.csv")),
        "codebook": read_runs(folder, runs, "codebook.csv"),
        "histogram": read_runs(folder, runs, "histogram.csv"),
    }


def _rate_distortion(scores: Path, study: Study) -> pd.DataFrame:
    """Return the summary of every variant at every operating point, with the point's bitrate."""
    metrics = [name for name in study.metrics.names if name in study.bitrates.metrics]
    tables = []
    for variant, point in dict.fromkeys((variant, point) for variant, _, point in study.probed()):
        seeds = study.seeds_of(variant)
        found = collect(scores / variant / f"seed{seed}" / f"{point}.csv" for seed in seeds)
        table = summary(found, study, [variant], metrics)
        table["bitrate"] = study.variants[variant].bitrate(point)
        table.insert(1, "point", point)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _bitrates(rates: pd.DataFrame) -> pd.DataFrame:
    """Return bits per second of each run: means over utterances, weighted by their length.

    `saved` is the share of the nominal bits that the files save, headers included.
    """
    columns = [name for name in rates.columns if name.endswith("_bps")]
    bits = rates.copy()
    bits[columns] = rates[columns].mul(rates["seconds"], axis=0)
    runs = bits.groupby(RUN, sort=False)
    table = runs[columns].sum().div(runs["seconds"].sum(), axis=0)
    table.insert(0, "n_utterances", runs["utterance"].nunique())
    table["saved"] = 1 - table["coded_bps"] / table["nominal_bps"]
    return table.reset_index()


def _precision(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the shares of codes and frames that bfloat16 changes, a row per model."""
    models = counts.groupby(RUN[:2], sort=False)
    sums = models.sum(numeric_only=True)
    return pd.DataFrame(
        {
            "differing_codes": sums["differing_codes"] / sums["codes"],
            "differing_frames": sums["differing_frames"] / sums["frames"],
            "largest": models["largest"].max(),
        }
    ).reset_index()
