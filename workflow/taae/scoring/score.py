"""Scores two folders of audio: one row per utterance and metric, with a status."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from taae.errors import TaaeError
from taae.files import write_csv
from taae.metrics import METRICS
from taae.progress import log, progress
from taae.scoring.pairing import find_pairs
from taae.scoring.scorers import COUNTS, score_pair
from taae.scoring.workers import ordered_map

COLUMNS = [
    "run", "variant", "seed", "bitrate", "utterance", "speaker", "split", *COUNTS,
    "metric", "settings", "value", "status", "message", "version", "cpu_s",
]  # fmt: skip
MAX_TRIM = 320  # samples; a hop of the paper's codec
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
) -> None:
    """Score every utterance of `reference` against `decoded`; write a CSV of `COLUMNS`.

    Rows are sorted by utterance, then in the order of `METRICS`, however many `workers`. A metric
    without a value has an empty cell and a status other than ok; nothing is imputed.

    Args:
        names: metrics, of `METRICS`.
        max_failed: largest share of any one metric's values that may be missing.
        max_seconds: longest utterance that PESQ is given.
        labels: run, variant, seed, bitrate and split of every row; run defaults to the name of
            `decoded`.
        speakers: utterance -> speaker, see `find_pairs`.
        max_trim: samples by which lengths may differ.

    Raises:
        TaaeError: nothing to score, or too many values are missing; the rows are then in
            `output` with the suffix .failed.csv, and `output` is as it was.
    """
    unknown = set(names) - set(METRICS)
    if unknown:
        raise TaaeError(f"no metric {', '.join(sorted(unknown))}; there are {', '.join(METRICS)}")
    pairs = find_pairs(reference, decoded, speakers or {})
    score = partial(score_pair, names=names, max_seconds=max_seconds, max_trim=max_trim)
    scored = progress(ordered_map(score, pairs, workers), len(pairs), "scoring")
    table = pd.DataFrame([row for rows in scored for row in rows])
    table = table.assign(**{"run": decoded.name, **(labels or {})}).reindex(columns=COLUMNS)
    table = table.astype(dict.fromkeys(COUNTS, "Int64"))
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


def _summary(failed: pd.DataFrame) -> str:
    kinds = failed.groupby(["metric", "status"], sort=False).size().reset_index()
    counts = ", ".join(f"{metric} {status} {n}" for metric, status, n in kinds.itertuples(False))
    names = list(dict.fromkeys(failed["utterance"]))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(failed)} values are missing ({counts}), in {', '.join(names[:SHOWN])}{more}"
