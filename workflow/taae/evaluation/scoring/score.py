"""Scores two folders of audio: one row per utterance and metric, with a status."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from taae.evaluation.config import ASR, Speaker
from taae.evaluation.installed import check_installed
from taae.evaluation.metrics import COMPUTED, LEFT_OUT, MAX_TRIM, METRICS, MOSNET_HELP, Status
from taae.evaluation.scoring.cache import Known, read_cache, write_cache
from taae.evaluation.scoring.error_rates import ERROR_RATES, ErrorRates
from taae.evaluation.scoring.heard import hear_references, read_heard, references_of
from taae.evaluation.scoring.pairing import COUNTS, UNKNOWN, Pair, find_pairs
from taae.evaluation.scoring.recogniser import load_recogniser
from taae.evaluation.scoring.scorers import chosen, score_pair
from taae.utils.errors import TaaeError
from taae.utils.files import write_csv
from taae.utils.log import log, progress
from taae.utils.processes import ordered_map

COLUMNS = [
    "run", "variant", "seed", "bitrate", "utterance", "speaker", "split", *COUNTS,
    "metric", "settings", "value", "weight", "status", "message", "version", "cpu_s",
]  # fmt: skip
TEXT = ["run", "variant", "utterance", "speaker", "split", "metric", "settings", "status"]
TEXT += ["message", "version"]  # that stay so where they look like numbers
SHOWN = 5  # utterances named in an error


Labels = Mapping[str, str | int | float]


@dataclass(frozen=True)
class Scoring:
    """What is computed of every utterance, and by what."""

    names: Sequence[str]
    """Of `COMPUTED`; without `mosnet_weights`, "mosnet" is left out."""
    max_failed: float
    """Largest share of any one metric's values that may be missing."""
    max_seconds: float
    """Longest utterance that PESQ is given."""
    max_trim: int = MAX_TRIM
    """Samples by which the lengths of a pair may differ."""
    mosnet_weights: Path | None = None
    """File of `taae.evaluation.scoring.mosnet.fetch_weights`."""
    speaker: Speaker = field(default_factory=Speaker)
    """Weights of "speaker_ge2e" and "speaker_wavlm"."""
    asr: ASR = field(default_factory=ASR)
    """Recogniser of "wer", "cer" and "dwer"."""
    workers: int = 1
    """Processes; no value depends on them."""


def score_folders(
    reference: Path,
    decoded: Path,
    output: Path,
    scoring: Scoring,
    *,
    labels: Labels | None = None,
    speakers: Mapping[str, str] | None = None,
    cache: Path | None = None,
    absent: str = "",
    heard: Path | None = None,
    transcripts: Mapping[str, str] | None = None,
) -> None:
    """Score every utterance of `reference` against `decoded`; write a CSV of `COLUMNS`.

    Rows are sorted by utterance, then in the order of `COMPUTED`. A metric without a value has an
    empty cell and a status other than ok; nothing is imputed.

    Args:
        labels: run, variant, seed, bitrate and split of every row; run and variant default to the
            name of `decoded`, seed to 0.
        speakers: utterance -> speaker, see `find_pairs`.
        cache: file that keeps values, of these signals, definitions and versions, for later calls.
        absent: why there is nothing decoded, of a codec that is not installed: the rows say so.
        heard: table of `taae hear` for `reference`; without it the references are heard here.
        transcripts: utterance -> what is said, where there is no `heard`.

    Raises:
        TaaeError: nothing to score, or too many values are missing; the rows are then in
            `output` with the suffix .failed.csv, and `output` is as it was.
    """
    pairs = find_pairs(reference, None if absent else decoded, speakers or {})
    names = _usable(scoring)
    scorers = chosen(names, scoring.mosnet_weights, scoring.speaker)
    recogniser = load_recogniser(scoring.asr) if set(ERROR_RATES) & set(names) else None
    if absent:
        settings = {name: scorer.settings for scorer in scorers for name in scorer.metrics}
        if recogniser:
            settings |= dict.fromkeys(ERROR_RATES, recogniser.settings)
        write_csv(_table(_absent(pairs, names, settings, absent), decoded, labels), output)
        return
    if len(pairs) > 1 and all(pair.speaker == UNKNOWN for pair in pairs):
        log(
            f"{reference}: no speakers are known, so nothing can be tested; give a manifest, or"
            " a folder per speaker"
        )
    error_rates = None
    if recogniser:
        if heard:
            texts = read_heard(heard, recogniser)
        else:
            texts = hear_references(reference, transcripts or {}, recogniser, scoring.workers)
        error_rates = ErrorRates(recogniser, references_of(texts), scoring.asr.max_reference_wer)
        error_rates.tell()
    score = partial(
        score_pair,
        scorers=scorers,
        names=names,
        max_seconds=scoring.max_seconds,
        max_trim=scoring.max_trim,
        error_rates=error_rates,
    )
    table = _table(_rows(pairs, score, cache, scoring.workers), decoded, labels)
    suspect = output.with_suffix(".failed.csv")
    missing = table["value"].isna() & ~table["status"].isin(LEFT_OUT)
    worst = missing.groupby(table["metric"]).mean().max()
    if worst > scoring.max_failed:
        write_csv(table, suspect)
        raise TaaeError(
            f"{decoded}: {_summary(table[missing])}; at most {scoring.max_failed:.1%} of a metric's"
            f" values may be missing (metrics.max_failed). The rows are in {suspect}"
        )
    if missing.any():
        log(f"{decoded}: {_summary(table[missing])}")
    write_csv(table, output)
    suspect.unlink(missing_ok=True)


def _absent(
    pairs: Sequence[Pair], names: Sequence[str], settings: Mapping[str, str], why: str
) -> list[dict[str, Any]]:
    """Return the rows of a codec that is not installed."""
    about = {"status": str(Status.NOT_INSTALLED), "message": why}
    return [
        {
            "utterance": pair.utterance,
            "speaker": pair.speaker,
            "metric": name,
            "settings": settings[name] or METRICS[name].settings,
            **about,
        }
        for pair in pairs
        for name in names
    ]


def _rows(
    pairs: Sequence[Pair],
    score: Callable[[tuple[Pair, Known]], tuple[list[dict[str, Any]], Known]],
    cache: Path | None,
    workers: int,
) -> list[dict[str, Any]]:
    """Return the rows of all pairs, of which `score` computes what the cache does not know."""
    known = read_cache(cache) if cache else {}
    rows = []
    try:
        tasks = [(pair, known.get(pair.utterance, {})) for pair in pairs]
        scored = progress(ordered_map(score, tasks, workers, _bytes), len(pairs), "scoring")
        for pair, (found, values) in zip(pairs, scored, strict=True):
            rows += found
            known[pair.utterance] = values
    finally:  # an interrupted run keeps what it has computed
        if cache:
            write_cache(known, cache)
    return rows


def _usable(scoring: Scoring) -> list[str]:
    """Return the metrics that can be computed, in the order of `COMPUTED`."""
    names, mosnet_weights = scoring.names, scoring.mosnet_weights
    unknown = set(names) - set(COMPUTED)
    if unknown:
        raise TaaeError(f"no metric {', '.join(sorted(unknown))}; there are {', '.join(COMPUTED)}")
    check_installed(names, scoring.speaker, scoring.asr)
    if "mosnet" in names and mosnet_weights:
        from taae.evaluation.scoring.mosnet import read_weights  # torch takes seconds

        read_weights(mosnet_weights)  # a wrong file is told now, not once an utterance
    elif "mosnet" in names:
        log(f"mosnet is left out. {MOSNET_HELP}")
        names = [name for name in names if name != "mosnet"]
    if not names:
        raise TaaeError("no metric to score")
    return [name for name in COMPUTED if name in names]


def _bytes(task: tuple[Pair, Known]) -> float:
    """Return about how long a pair takes, in no unit."""
    path = task[0].reference
    return path.stat().st_size if path.exists() else 0  # a link may lead nowhere


def _table(rows: list[dict[str, Any]], decoded: Path, labels: Labels | None) -> pd.DataFrame:
    name = decoded.resolve().name
    table = pd.DataFrame(rows).assign(**{"run": name, "variant": name, "seed": 0, **(labels or {})})
    return table.reindex(columns=COLUMNS).astype(dict.fromkeys([*COUNTS, "weight"], "Int64"))


def _summary(failed: pd.DataFrame) -> str:
    kinds = failed.groupby(["metric", "status"], sort=False).size().reset_index()
    counts = ", ".join(f"{metric} {status} {n}" for metric, status, n in kinds.itertuples(False))
    names = list(dict.fromkeys(failed["utterance"]))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(failed)} values are missing ({counts}), in {', '.join(names[:SHOWN])}{more}"
