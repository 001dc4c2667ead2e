"""The tables of differences of a study, from its scores at all operating points."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from taae.analysis.run_files import collect
from taae.analysis.tables.comparisons import comparisons, comparisons_at, noise_table
from taae.analysis.tables.factorial import factorial
from taae.codec.operating_points import NATIVE
from taae.study.study import Study


def difference_tables(results: Path, study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables by name; natively from scores.csv, which has all arms."""
    points = {NATIVE: collect([results / "tables" / "scores.csv"])}
    found: dict[str, list[Path]] = {}
    for variant, seed, point in study.probed():
        if point != NATIVE:
            path = results / "scores" / variant / f"seed{seed}" / f"{point}.csv"
            found.setdefault(point, []).append(path)
    points |= {point: collect(paths) for point, paths in found.items()}
    tables = {
        "comparisons": comparisons(points[NATIVE], study),
        "noise": noise_table(points[NATIVE], study),
        "factorial": factorial(points, study),
    }
    if found:
        metrics = [name for name in study.metrics.names if name in study.bitrates.metrics]
        tables["points"] = comparisons_at(points, study, metrics, tables["comparisons"])
    return tables
