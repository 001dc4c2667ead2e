"""What each arm costs: the table of all models."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from taae.study.study import Study
from taae.utils.errors import TaaeError


def cost_table(folder: Path, study: Study) -> pd.DataFrame:
    """Return a row per arm of the cost study; `folder` holds VARIANT.json of `taae cost`."""
    rows = []
    for name in study.cost_arms:
        path = folder / f"{name}.json"
        try:
            measured = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TaaeError(f"{path}: not the costs of a model ({error})") from error
        attention, kind = study.variants[name].attention, study.variants[name].model.kind
        rows.append(
            {
                "variant": name,
                "window": None if kind == "conv" else attention.window,
                "causal": attention.causal,
                "kind": kind,
                **measured,
            }
        )
    return pd.DataFrame(rows).astype({"window": "Int64"})
