"""Tables of what the runs say of themselves: origin, training, cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from taae.analysis.run_files import read_runs
from taae.study.study import Study
from taae.utils.errors import TaaeError

HASH_DIGITS = 12  # of 64: enough to tell apart, short enough to read


def provenance_table(models: Path, study: Study) -> pd.DataFrame:
    """Return a row per variant and seed from each run's provenance.json below `models`.

    Hashes and revisions are cut to their first digits; hours are those of `taae.training.train`.
    Of a model that the study did not train, the folder and the hash of its config are known.
    """
    rows = []
    for variant in study.variants:
        for seed in study.seeds_of(variant):
            path = models / variant / f"seed{seed}" / "provenance.json"
            try:
                origin = _origin(json.loads(path.read_bytes()))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise TaaeError(f"{path}: not the provenance of a model ({error!r})") from error
            rows.append({"variant": variant, "seed": seed} | origin)
    return pd.DataFrame(rows).convert_dtypes()  # whole numbers stay so beside missing ones


def _origin(origin: dict[str, Any]) -> dict[str, Any]:
    if "pretrained" in origin:
        config = origin["sha256"]["config.json"][:HASH_DIGITS]
        return {"pretrained": origin["pretrained"], "config": config}
    return {
        "config": origin["config_sha256"][:HASH_DIGITS],
        "corpus": origin["corpus"][:HASH_DIGITS],
        "start": origin["start"][:HASH_DIGITS],
        **{name: origin[name] for name in ("parameters", "device", "precision")},
        **{name: origin[name] for name in ("gpus", "threads")},
        "hours": round(origin["seconds"] / 3600, 5),
        "cpu_hours": round(origin["cpu_seconds"] / 3600, 5),
        **{name: origin[name] for name in ("gpu_hours", "resumptions")},
        "revision": origin["git"].get("revision", "")[:HASH_DIGITS],
        "edited": origin["git"].get("dirty"),
        "taae": origin["code"],
        **{name: origin[name] for name in ("python", "torch", "numpy")},
    }


def training_table(models: Path, study: Study) -> pd.DataFrame:
    """Return every run's history.csv below `models`."""
    runs = [(variant, seed) for variant in study.trained for seed in study.seeds]
    return read_runs(models, runs, "history.csv")


def cost_table(folder: Path, study: Study) -> pd.DataFrame:
    """Return a row per arm of the cost study; `folder` holds costs.json of `taae cost`."""
    path, rows = folder / "costs.json", []
    try:
        measured = json.loads(path.read_bytes())
        for name in study.cost_arms:
            attention, kind = study.variants[name].attention, study.variants[name].model.kind
            window = None if kind == "conv" else attention.window
            labels = {"variant": name, "window": window, "causal": attention.causal, "kind": kind}
            rows.append(labels | measured[f"{name}/seed{study.seeds[0]}"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TaaeError(f"{path}: not the costs of the models ({error!r})") from error
    return pd.DataFrame(rows).astype({"window": "Int64"})
