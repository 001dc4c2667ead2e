"""Scores two folders of audio: one row per utterance and metric, with a status."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from taae.evaluation.metrics import MAX_TRIM, METRICS, MOSNET_HELP
from taae.evaluation.scoring.cache import Entry, read_cache, write_cache
from taae.evaluation.scoring.mosnet_weights import read_weights
from taae.evaluation.scoring.pairing import UNKNOWN, Pair, find_pairs, find_references
from taae.evaluation.scoring.scorers import COUNTS, chosen, score_pair
from taae.evaluation.scoring.status import Status
from taae.utils.errors import TaaeError
from taae.utils.files import write_csv
from taae.utils.log import log, progress
from taae.utils.processes import ordered_map

COLUMNS = [
    "run", "variant", "seed", "bitrate", "utterance", "speaker", "split", *COUNTS,
    "metric", "settings", "value", "status", "message", "version", "cpu_s",
]  # fmt: skip
SHOWN = 5  # utterances named in an error


def score_folders(
    reference: Path,
    decoded: Path,
    output: Path,
    *,
    names: Sequence[str],
    max_failed: float,
    max_seconds: float,
    workers: int = 1,
    labels: dict[str, str | int | float] | None = None,
    speakers: dict[str, str] | None = None,
    max_trim: int = MAX_TRIM,
    mosnet_weights: Path | None = None,
    cache: Path | None = None,
) -> None:
    """Score every utterance of `reference` against `decoded`; write a CSV of `COLUMNS`.

    Rows are sorted by utterance, then in the order of `METRICS`, however many `workers`. A metric
    without a value has an empty cell and a status other than ok; nothing is imputed.

    Args:
        names: metrics, of `METRICS`; without `mosnet_weights`, "mosnet" is left out.
        max_failed: largest share of any one metric's values that may be missing.
        max_seconds: longest utterance that PESQ is given.
        labels: run, variant, seed, bitrate and split of every row; run and variant default to the
            name of `decoded`, seed to 0.
        speakers: utterance -> speaker, see `find_pairs`.
        max_trim: samples by which lengths may differ.
        mosnet_weights: file of `taae.evaluation.scoring.mosnet_weights.fetch_weights`.
        cache: file that keeps values from one call to the next; they are taken from it for
            signals, definitions and versions that have not changed.

    Raises:
        TaaeError: nothing to score, or too many values are missing; the rows are then in
            `output` with the suffix .failed.csv, and `output` is as it was.
    """
    pairs = find_pairs(reference, decoded, speakers or {})
    if len(pairs) > 1 and all(pair.speaker == UNKNOWN for pair in pairs):
        log(
            f"{reference}: no speakers are known, so nothing can be tested; give a manifest, or"
            " a folder per speaker"
        )
    names = _usable(names, mosnet_weights)
    score = partial(
        score_pair,
        scorers=chosen(names, mosnet_weights),
        names=names,
        max_seconds=max_seconds,
        max_trim=max_trim,
    )
    earlier = read_cache(cache) if cache else {}
    entries: dict[str, Entry] = {}
    rows = []
    try:
        tasks = [(pair, earlier.get(pair.utterance)) for pair in pairs]
        scored = progress(ordered_map(score, tasks, workers, _bytes), len(pairs), "scoring")
        for pair, (found, entry) in zip(pairs, scored, strict=True):
            rows += found
            entries[pair.utterance] = entry
    finally:  # an interrupted run keeps what it has computed
        if cache:
            write_cache(earlier | entries, cache)
    table = _table(rows, decoded, labels)
    suspect = output.with_suffix(".failed.csv")
    missing = table["value"].isna()
    worst = missing.groupby(table["metric"]).mean().max()
    if worst > max_failed:
        write_csv(table, suspect)
        raise TaaeError(
            f"{decoded}: {_summary(table[missing])}; at most {max_failed:.1%} of a metric's"
            f" values may be missing (metrics.max_failed). The rows are in {suspect}"
        )
    if missing.any():
        log(f"{decoded}: {_summary(table[missing])}")
    write_csv(table, output)
    suspect.unlink(missing_ok=True)


def score_absent(
    reference: Path,
    decoded: Path,
    output: Path,
    *,
    names: Sequence[str],
    message: str,
    labels: dict[str, str | int | float] | None = None,
    speakers: dict[str, str] | None = None,
    mosnet_weights: Path | None = None,
) -> None:
    """Write the rows of a codec that is not installed: each has that status, none has a value.

    Arguments as for `score_folders`; `message` says what is missing.
    """
    names = _usable(names, mosnet_weights)
    rows = [
        {
            "utterance": pair.utterance,
            "speaker": pair.speaker,
            "metric": metric,
            "settings": METRICS[metric].settings,
            "status": str(Status.NOT_INSTALLED),
            "message": message,
        }
        for pair in find_references(reference, speakers or {})
        for metric in METRICS
        if metric in names
    ]
    write_csv(_table(rows, decoded, labels), output)


def _usable(names: Sequence[str], mosnet_weights: Path | None) -> list[str]:
    unknown = set(names) - set(METRICS)
    if unknown:
        raise TaaeError(f"no metric {', '.join(sorted(unknown))}; there are {', '.join(METRICS)}")
    if "mosnet" in names and mosnet_weights:
        read_weights(mosnet_weights)  # a wrong file is told now, not once an utterance
    elif "mosnet" in names:
        log(f"mosnet is left out. {MOSNET_HELP}")
        names = [name for name in names if name != "mosnet"]
    if not names:
        raise TaaeError("no metric to score")
    return list(names)


def _bytes(task: tuple[Pair, Entry | None]) -> float:
    """Return about how long a pair takes, in no unit."""
    path = task[0].reference
    return path.stat().st_size if path.exists() else 0  # a link may lead nowhere


def _table(
    rows: list[dict[str, Any]], decoded: Path, labels: dict[str, str | int | float] | None
) -> pd.DataFrame:
    name = decoded.resolve().name
    table = pd.DataFrame(rows).assign(**{"run": name, "variant": name, "seed": 0, **(labels or {})})
    return table.reindex(columns=COLUMNS).astype(dict.fromkeys(COUNTS, "Int64"))


def _summary(failed: pd.DataFrame) -> str:
    kinds = failed.groupby(["metric", "status"], sort=False).size().reset_index()
    counts = ", ".join(f"{metric} {status} {n}" for metric, status, n in kinds.itertuples(False))
    names = list(dict.fromkeys(failed["utterance"]))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(failed)} values are missing ({counts}), in {', '.join(names[:SHOWN])}{more}"
