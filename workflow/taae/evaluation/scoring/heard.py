"""What a recogniser hears in the references of a test set: once for all that is decoded of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from taae.evaluation.metrics import Failure, Status
from taae.evaluation.scoring.pairing import Pair, find_pairs, given, read_pair, respelled
from taae.evaluation.scoring.recogniser import SHORTEST, Recogniser, loop_in
from taae.evaluation.scoring.words import edit_distance
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv
from taae.utils.log import progress
from taae.utils.processes import ordered_map
from taae.utils.sample_rate import SAMPLE_RATE

TEXT = ["utterance", "text", "heard", "status", "message", "settings", "version"]
COLUMNS = ["utterance", "text", "n_words", "heard", "n_heard", "n_errors", *TEXT[3:]]


@dataclass(frozen=True)
class Reference:
    """A reference: what is said (empty where not known), what was heard, and with what status."""

    text: str
    heard: str
    status: str
    message: str


@dataclass(frozen=True)
class References:
    """The references of a test set by utterance, and their word error rate, NaN without texts."""

    found: dict[str, Reference]
    word_error_rate: float


def hear_references(
    reference: Path, transcripts: Mapping[str, str], recogniser: Recogniser, workers: int = 1
) -> pd.DataFrame:
    """Return a row of `COLUMNS` for each reference in a folder, sorted by utterance.

    Args:
        reference: folder.
        transcripts: utterance -> what is said in it, as far as is known.
        recogniser: that hears them.
        workers: processes.
    """
    pairs = find_pairs(reference, None, {})
    texts = respelled(transcripts, [pair.utterance for pair in pairs])
    hear = partial(_hear, texts=texts, recogniser=recogniser)
    rows = [*progress(ordered_map(hear, pairs, workers), len(pairs), "hearing")]
    return pd.DataFrame(rows, columns=COLUMNS)


def read_heard(path: Path, recogniser: Recogniser) -> pd.DataFrame:
    """Read a table of `hear_references`.

    Raises:
        TaaeError: another recogniser heard it.
    """
    table = read_csv(path, COLUMNS, TEXT)
    table[TEXT] = table[TEXT].fillna("")
    here = f"{recogniser.settings}, {recogniser.version}"
    for heard in (table["settings"] + ", " + table["version"]).unique():
        if heard != here:
            raise TaaeError(
                f"{path}: heard by another recogniser ({heard}, here {here}); run `taae hear`"
                " again, or in a study `snakemake --forcerun hear`"
            )
    return table


def references_of(table: pd.DataFrame) -> References:
    """Return what scoring needs of a table of `hear_references`."""
    rows = zip(*(table[name] for name in ("text", "heard", "status", "message")), strict=True)
    found = dict(zip(table["utterance"], (Reference(*row) for row in rows), strict=True))
    known = table[(table["n_words"] > 0) & table["n_errors"].notna()]
    total = known["n_words"].sum()
    return References(found, float(known["n_errors"].sum() / total) if total else float("nan"))


def _hear(pair: Pair, texts: Mapping[str, str], recogniser: Recogniser) -> dict[str, Any]:
    text = texts.get(pair.utterance, "")
    words = recogniser.words(text)
    row = {"utterance": pair.utterance, "text": text, "n_words": len(words)}
    row |= {"settings": recogniser.settings, "version": recogniser.version}
    try:
        heard, seconds = _heard_in(pair, recogniser)
    except Failure as failure:
        return row | {"heard": "", "status": str(failure.status), "message": failure.message}
    found = recogniser.words(heard)
    loop = loop_in(heard, len(found), seconds)
    errors = edit_distance(words, found)
    return row | {
        "heard": heard,
        "n_heard": len(found),
        "n_errors": min(errors, len(words)) if loop else errors,
        "status": str(Status.HALLUCINATION if loop else Status.OK),
        "message": loop,
    }


def _heard_in(pair: Pair, recogniser: Recogniser) -> tuple[str, float]:
    """Return what is heard in a reference, and how many seconds it is long."""
    signals = read_pair(Pair(pair.utterance, pair.speaker, pair.reference, pair.reference), 0)
    reference, _ = given(signals, shortest=SHORTEST, intrusive=True)
    try:
        with threadpool_limits(limits=1):
            return recogniser.hear(reference), reference.size / SAMPLE_RATE
    except Exception as error:  # whatever a library raises concerns this utterance alone
        raise Failure(Status.CRASH, f"{type(error).__name__}: {error}") from error
