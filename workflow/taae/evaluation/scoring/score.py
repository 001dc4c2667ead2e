"""Scores two folders of audio: one row per utterance and metric, with a status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    absent: str = "",
    speaker_weights: Speaker | None = None,
    asr: ASR | None = None,
    heard: Path | None = None,
    transcripts: Mapping[str, str] | None = None,
) -> None:
    """Score every utterance of `reference` against `decoded`; write a CSV of `COLUMNS`.

    Rows are sorted by utterance, then in the order of `COMPUTED`, however many `workers`. A metric
    without a value has an empty cell and a status other than ok; nothing is imputed.

    Args:
        names: of `COMPUTED`; without `mosnet_weights`, "mosnet" is left out.
        max_failed: largest share of any one metric's values that may be missing.
        max_seconds: longest utterance that PESQ is given.
        labels: run, variant, seed, bitrate and split of every row; run and variant default to the
            name of `decoded`, seed to 0.
        speakers: utterance -> speaker, see `find_pairs`.
        max_trim: samples by which lengths may differ.
        mosnet_weights: file of `taae.evaluation.scoring.mosnet.fetch_weights`.
        cache: file that keeps values, of these signals, definitions and versions, for later calls.
        absent: why there is nothing decoded, of a codec that is not installed: the rows say so.
        speaker_weights: of "speaker_ge2e" and "speaker_wavlm".
        asr: the recogniser of "wer", "cer" and "dwer".
        heard: table of `taae hear` for `reference`; without it the references are heard here.
        transcripts: utterance -> what is said, where there is no `heard`.

    Raises:
        TaaeError: nothing to score, or too many values are missing; the rows are then in
            `output` with the suffix .failed.csv, and `output` is as it was.
    """
    pairs = find_pairs(reference, None if absent else decoded, speakers or {})
    encoders = speaker_weights or Speaker()
    names = _usable(names, mosnet_weights, encoders, asr)
    scorers = chosen(names, mosnet_weights, encoders)
    recogniser = load_recogniser(asr or ASR()) if set(ERROR_RATES) & set(names) else None
    if absent:
        own = {name: scorer.settings for scorer in scorers for name in scorer.metrics}
        if recogniser:
            own |= dict.fromkeys(ERROR_RATES, recogniser.settings)
        metrics = [
            {"metric": name, "settings": own[name] or METRICS[name].settings} for name in names
        ]
        about = {"status": str(Status.NOT_INSTALLED), "message": absent}
        rows = [
            {"utterance": pair.utterance, "speaker": pair.speaker, **metric, **about}
            for pair in pairs
            for metric in metrics
        ]
        write_csv(_table(rows, decoded, labels), output)
        return
    if len(pairs) > 1 and all(pair.speaker == UNKNOWN for pair in pairs):
        log(
            f"{reference}: no speakers are known, so nothing can be tested; give a manifest, or"
            " a folder per speaker"
        )
    error_rates = None
    if recogniser:
        if heard:
            table = read_heard(heard, recogniser)
        else:
            table = hear_references(reference, transcripts or {}, recogniser, workers)
        limit = (asr or ASR()).max_reference_wer
        error_rates = ErrorRates(recogniser, references_of(table), limit)
        error_rates.tell()
    score = partial(
        score_pair,
        scorers=scorers,
        names=names,
        max_seconds=max_seconds,
        max_trim=max_trim,
        error_rates=error_rates,
    )
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
    table = _table(rows, decoded, labels)
    suspect = output.with_suffix(".failed.csv")
    missing = table["value"].isna() & ~table["status"].isin(LEFT_OUT)
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


def _usable(
    names: Sequence[str], mosnet_weights: Path | None, encoders: Speaker, asr: ASR | None
) -> list[str]:
    unknown = set(names) - set(COMPUTED)
    if unknown:
        raise TaaeError(f"no metric {', '.join(sorted(unknown))}; there are {', '.join(COMPUTED)}")
    check_installed(names, encoders, asr)
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


def _table(
    rows: list[dict[str, Any]], decoded: Path, labels: dict[str, str | int | float] | None
) -> pd.DataFrame:
    name = decoded.resolve().name
    table = pd.DataFrame(rows).assign(**{"run": name, "variant": name, "seed": 0, **(labels or {})})
    return table.reindex(columns=COLUMNS).astype(dict.fromkeys([*COUNTS, "weight"], "Int64"))


def _summary(failed: pd.DataFrame) -> str:
    kinds = failed.groupby(["metric", "status"], sort=False).size().reset_index()
    counts = ", ".join(f"{metric} {status} {n}" for metric, status, n in kinds.itertuples(False))
    names = list(dict.fromkeys(failed["utterance"]))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(failed)} values are missing ({counts}), in {', '.join(names[:SHOWN])}{more}"
