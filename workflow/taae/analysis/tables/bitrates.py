"""Tables of the operating points: rate and distortion, real bitrates, use of the codebook."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from taae.analysis.score_files import collect
from taae.analysis.tables.scores import summary
from taae.study.study import Study
from taae.utils.files import read_csv


def rate_distortion(scores: Path, study: Study) -> pd.DataFrame:
    """Return `taae.analysis.tables.scores.summary` of every variant at every operating point.

    `scores` holds VARIANT/seedSEED/POINT.csv; the column point is added, bitrate is the point's.
    """
    shared = [name for name in study.metrics.names if name in study.bitrates.metrics]
    tables = []
    for variant, settings in study.variants.items():
        points = study.points(variant)
        if len(points) == 1:
            continue
        shown = replace(
            study,
            variants={variant: settings},
            codecs={},
            metrics=replace(study.metrics, names=shared),
        )
        for point in points:
            seeds = study.seeds_of(variant)
            paths = [scores / variant / f"seed{seed}" / f"{point}.csv" for seed in seeds]
            table = summary(collect(paths), shown)
            table["bitrate"] = settings.bitrate_at(point)
            table.insert(1, "point", point)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def probes(folder: Path, name: str, study: Study) -> pd.DataFrame:
    """Return the tables `name`.csv of every probed run, with columns variant, seed and point.

    `folder` holds VARIANT/seedSEED/POINT/`name`.csv.
    """
    tables = []
    for variant, seed, point in study.probed():
        table = read_csv(folder / variant / f"seed{seed}" / point / f"{name}.csv", [])
        table.insert(0, "variant", variant)
        table.insert(1, "seed", seed)
        table.insert(2, "point", point)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def bitrates(folder: Path, study: Study) -> pd.DataFrame:
    """Return bits per second of each probed run: nominal, entropies, real files.

    Means over utterances are weighted by their length. `saved` is the share of the nominal bits
    that the files save, headers included.
    """
    rates = probes(folder, "rates", study)
    columns = [name for name in rates.columns if name.endswith("_bps")]
    weighted = rates[columns].mul(rates["seconds"], axis=0)
    keys = [rates[name] for name in ("variant", "seed", "point")]
    totals = weighted.groupby(keys, sort=False).sum()
    seconds = rates["seconds"].groupby(keys, sort=False).sum()
    table = totals.div(seconds, axis=0)
    table.insert(0, "n_utterances", rates["utterance"].groupby(keys, sort=False).nunique())
    table["saved"] = 1 - table["coded_bps"] / table["nominal_bps"]
    return table.reset_index()


def precision(folder: Path, study: Study) -> pd.DataFrame:
    """Return the share of codes that bfloat16 changes, a row per variant and seed.

    `folder` holds VARIANT/seedSEED/precision.csv, of `taae.evaluation.decode.differing_codes`.
    """
    rows = []
    for variant, seed in dict.fromkeys((variant, seed) for variant, seed, _ in study.probed()):
        path = folder / variant / f"seed{seed}" / "precision.csv"
        counts = read_csv(path, ["codes", "differing_codes", "frames", "differing_frames"])
        rows.append(
            {
                "variant": variant,
                "seed": seed,
                "differing_codes": counts["differing_codes"].sum() / counts["codes"].sum(),
                "differing_frames": counts["differing_frames"].sum() / counts["frames"].sum(),
                "largest": counts["largest"].max(),
            }
        )
    return pd.DataFrame(rows)
