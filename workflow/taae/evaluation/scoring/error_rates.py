"""Word and character error rates of decoded speech, by a recogniser."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from taae.evaluation.metrics import Failure, Status
from taae.evaluation.scoring.heard import Reference, References
from taae.evaluation.scoring.recogniser import Recogniser, loop_in
from taae.evaluation.scoring.signal_metrics import Signal
from taae.evaluation.scoring.words import edit_distance
from taae.utils.log import log
from taae.utils.sample_rate import SAMPLE_RATE

ERROR_RATES = ("wer", "cer", "dwer")
UNKNOWN = Reference("", "", str(Status.MISSING), "the reference was not heard")
Texts = dict[str, tuple[float | str, float]]  # what was heard before, and its CPU seconds


@dataclass(frozen=True)
class ErrorRates:
    """Scores what is heard in decoded speech against what is said, and heard, in its reference.

    `limit` is the word error rate on the references above which "wer" and "cer" say nothing.
    """

    recogniser: Recogniser
    references: References
    limit: float

    @property
    def left_out(self) -> str:
        """Say why "wer" and "cer" have no values at all; empty where they have."""
        rate = self.references.word_error_rate
        if math.isnan(rate):
            return "no utterance has a transcript"
        if rate <= self.limit:
            return ""
        return (
            f"the recogniser's word error rate on the references is {rate:.2f}, above"
            f" {self.limit:g} (metrics.asr.max_reference_wer)"
        )

    def tell(self) -> None:
        """Log how well the recogniser understands the references, or what is left out for it."""
        rate = self.references.word_error_rate
        left_out = self.left_out and f"wer and cer are left out: {self.left_out}"
        log(left_out or f"the recogniser's word error rate on the references is {rate:.3f}")

    def rows(
        self, utterance: str, degraded: Signal, known: Texts
    ) -> tuple[list[dict[str, Any]], Texts]:
        """Return the rows of a decoded signal (n,), and its text, for `known` of a later call."""
        start = time.process_time()
        key = f"{self.recogniser.settings} {self.recogniser.version}"
        try:
            text, cpu_s = known.get(key) or (self.recogniser.hear(degraded), math.nan)
        except Exception as error:  # whatever a library raises concerns this utterance alone
            return self.failed(Failure(Status.CRASH, f"{type(error).__name__}: {error}")), {}
        if math.isnan(cpu_s):
            cpu_s = round((time.process_time() - start) / len(ERROR_RATES), 6)
        found = self.recogniser.words(str(text))
        loop = loop_in(str(text), len(found), degraded.size / SAMPLE_RATE)
        return self._heard(utterance, found, loop, float(cpu_s)), {key: (text, cpu_s)}

    def silent(self, utterance: str) -> list[dict[str, Any]]:
        """Return the rows of a silent signal: all words are lost."""
        return self._heard(utterance, [], "", 0.0)

    def failed(self, failure: Failure) -> list[dict[str, Any]]:
        """Return the rows of a signal that cannot be scored."""
        outcome = _outcome(math.nan, failure.status, failure.message) | {"cpu_s": 0.0}
        return [self._about(metric) | outcome for metric in ERROR_RATES]

    def _heard(
        self, utterance: str, found: list[str], loop: str, cpu_s: float
    ) -> list[dict[str, Any]]:
        rows = []
        for metric in ERROR_RATES:
            try:
                true = self._true_words(metric, utterance)
                outcome = _rate(true, found, loop, characters=metric == "cer")
            except Failure as failure:
                outcome = _outcome(math.nan, failure.status, failure.message)
            rows.append(self._about(metric) | outcome | {"cpu_s": cpu_s})
        return rows

    def _true_words(self, metric: str, utterance: str) -> list[str]:
        """Return what should have been heard.

        Raises:
            Failure: it is not known, or the recogniser is no judge of it.
        """
        reference = self.references.found.get(utterance, UNKNOWN)
        if metric == "dwer":
            if reference.status == Status.HALLUCINATION:
                raise Failure(Status.UNRECOGNISABLE, f"in the reference {reference.message}")
            if reference.status != Status.OK:
                raise Failure(Status(reference.status), reference.message)
            words = self.recogniser.words(reference.heard)
            if not words:
                raise Failure(Status.UNRECOGNISABLE, "no word is heard in the reference")
            return words
        words = self.recogniser.words(reference.text)
        if not words:
            raise Failure(Status.NO_TRANSCRIPT, "no transcript of the utterance")
        if self.left_out:
            raise Failure(Status.UNRECOGNISABLE, self.left_out)
        return words

    def _about(self, metric: str) -> dict[str, Any]:
        settings, version = self.recogniser.settings, self.recogniser.version
        return {"metric": metric, "settings": settings, "version": version}


def _rate(
    true: Sequence[str], found: Sequence[str], loop: str, *, characters: bool
) -> dict[str, Any]:
    """Return the share of words, or of characters with the spaces between words, that are wrong.

    Of a recogniser's loop no more than all count as wrong: how long it goes on says nothing.
    """
    if characters:
        true, found = " ".join(true), " ".join(found)
    errors = edit_distance(true, found)
    if loop:
        errors = min(errors, len(true))
    status = Status.HALLUCINATION if loop else Status.OK
    return _outcome(errors / len(true), status, loop) | {"weight": len(true)}


def _outcome(value: float, status: Status, message: str) -> dict[str, Any]:
    return {"value": value, "status": str(status), "message": message}
