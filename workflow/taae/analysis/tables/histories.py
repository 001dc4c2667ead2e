"""The training histories of all runs as one table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from taae.study.study import Study
from taae.utils.files import read_csv


def histories(models: Path, study: Study) -> pd.DataFrame:
    """Return every run's history.csv below `models` with the columns variant and seed before it."""
    tables = []
    for variant in study.trained:
        for seed in study.seeds:
            table = read_csv(models / variant / f"seed{seed}" / "history.csv", ["step", "split"])
            table.insert(0, "variant", variant)
            table.insert(1, "seed", seed)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)
