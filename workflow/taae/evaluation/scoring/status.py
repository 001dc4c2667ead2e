"""Why a value is missing: every status a row of scores can have, in one place."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The outcome of one metric on one utterance. Only `OK` and `IDENTICAL` carry a value."""

    OK = "ok"
    IDENTICAL = "identical"  # no error to measure; SI-SDR is +inf
    MISSING = "missing"  # the reference has no decoded file
    UNREADABLE = "unreadable"  # a file that no audio decoder takes
    SAMPLE_RATE = "sample_rate"  # a file that is not at 16 kHz; it is never resampled here
    CHANNELS = "channels"  # a file that is not mono
    LEN_MISMATCH = "len_mismatch"  # lengths differ by more than is trimmed
    NONFINITE = "nonfinite"  # NaN or infinity among the samples
    SILENT_REF = "silent_ref"  # see `taae.evaluation.scoring.pairing.is_silent`
    SILENT_DEG = "silent_deg"
    TOO_SHORT = "too_short"  # shorter than the metric is defined for
    TOO_LONG = "too_long"  # longer than the metric is trusted with
    NO_UTTERANCE = "no_utterance"  # PESQ finds no speech
    DEGENERATE = "degenerate"  # the metric is not defined here, e.g. 0/0
    NOT_INSTALLED = "not_installed"  # the codec that should have decoded it is not there
    CRASH = "crash"  # the metric's library raised an error or died

    @property
    def failed(self) -> bool:
        """Whether there is no value."""
        return self not in (Status.OK, Status.IDENTICAL)


class Failure(Exception):
    """A metric has no value: its status, and a message for the row."""

    def __init__(self, status: Status, message: str) -> None:
        """Keep both, as arguments too: an exception is pickled by them."""
        super().__init__(status, message)
        self.status = status
        self.message = message
