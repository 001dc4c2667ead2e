"""Tables of what the runs say of themselves: origin, training, cost."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from taae.study.study import Study
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv

HASH_DIGITS = 12  # of 64: enough to tell apart, short enough to read
SECONDS_PER_HOUR = 3600


def provenance_table(models: Path, study: Study) -> pd.DataFrame:
    """Return a row per variant and seed from each run's provenance.json below `models`.

    Hashes and revisions are cut to their first digits; hours are those of `taae.training.train`.
    Of a model that the study did not train, the folder and the hash of its config are known.
    """
    rows = []
    for variant in study.variants:
        for seed in study.seeds_of(variant):
            path = models / variant / f"seed{seed}" / "provenance.json"
            rows.append({"variant": variant, "seed": seed} | _row(path))
    return pd.DataFrame(rows).convert_dtypes()  # whole numbers stay so beside missing ones


def _row(path: Path) -> dict[str, object]:
    try:
        origin = json.loads(path.read_text(encoding="utf-8"))
        if "pretrained" in origin:
            config = origin["sha256"]["config.json"][:HASH_DIGITS]
            return {"pretrained": origin["pretrained"], "config": config}
        git = origin["git"]
        return {
            "config": origin["config_sha256"][:HASH_DIGITS],
            "corpus": origin["corpus"][:HASH_DIGITS],
            "parameters": origin["parameters"],
            "device": origin["device"],
            "precision": origin["precision"],
            "gpus": origin["gpus"],
            "threads": origin["threads"],
            "hours": round(origin["seconds"] / SECONDS_PER_HOUR, 5),
            "cpu_hours": round(origin["cpu_seconds"] / SECONDS_PER_HOUR, 5),
            "gpu_hours": origin["gpu_hours"],
            "resumptions": origin["resumptions"],
            "revision": git.get("revision", "")[:HASH_DIGITS],
            "edited": git.get("dirty"),
            "taae": origin["code"],
            "python": origin["python"],
            "torch": origin["torch"],
            "numpy": origin["numpy"],
        }
    except FileNotFoundError:
        raise TaaeError(f"{path}: no such file; train the model") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TaaeError(f"{path}: not the provenance of a model ({error!r})") from error


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
