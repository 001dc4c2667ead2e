"""PESQ in a process of its own: its C code dies of a segmentation fault on some input."""

from __future__ import annotations

from pesq import NoUtterancesError, pesq

from taae.scoring.signal import Signal
from taae.scoring.status import Failure, Status
from taae.scoring.workers import serve
from taae.study import SAMPLE_RATE


def score(reference: Signal, degraded: Signal, mode: str) -> float:
    """Return MOS-LQO; `mode` is "wb" or "nb"."""
    try:
        return float(pesq(SAMPLE_RATE, reference, degraded, mode))
    except NoUtterancesError:
        raise Failure(Status.NO_UTTERANCE, "PESQ finds no speech") from None


if __name__ == "__main__":
    serve(score)
