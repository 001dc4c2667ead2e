"""Tables of the operating points: rate and distortion, real bitrates, use of the codebook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from taae.analysis.tables import collect, summary
from taae.files import read_csv
from taae.study import Study


def rate_distortion(scores: Path, study: Study) -> pd.DataFrame:
    """Return `taae.analysis.tables.summary` of every variant at every operating point.

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
            metrics=replace(study.metrics, names=shared),
        )
        for point in points:
            paths = [scores / variant / f"seed{seed}" / f"{point}.csv" for seed in study.seeds]
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
    for variant, seed, point in probed(study):
        table = read_csv(folder / variant / f"seed{seed}" / point / f"{name}.csv", [])
        table.insert(0, "variant", variant)
        table.insert(1, "seed", seed)
        table.insert(2, "point", point)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def probed(study: Study) -> Iterator[tuple[str, int, str]]:
    """Yield variant, seed and point of each run whose bitrate is measured."""
    for variant in study.variants:
        points = study.points(variant)
        if len(points) > 1:
            for seed in study.seeds:
                for point in points:
                    yield variant, seed, point
