"""Scores that model a listener, by their usual packages: PESQ, STOI and ESTOI."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from taae.evaluation.scoring import pesq_helper
from taae.evaluation.scoring.signal_metrics import Signal
from taae.evaluation.scoring.status import Failure, Status
from taae.utils.processes import ProcessDied, Worker
from taae.utils.sample_rate import SAMPLE_RATE

TOO_FEW_FRAMES = 1e-5  # what pystoi returns in place of an error

_pesq = Worker(pesq_helper.score)


def pesq(reference: Signal, degraded: Signal, mode: str) -> float:
    """Return PESQ as MOS-LQO: `mode` "wb" (ITU-T P.862.2) or "nb" (P.862 mapped by P.862.1).

    Signals (n,) at 16 kHz, at least 0.25 s. Up to 30 s is safe; beyond, the reference code may
    overrun its buffers.
    """
    try:
        return float(_pesq(reference, degraded, mode))
    except ProcessDied as error:
        raise Failure(Status.CRASH, f"PESQ died ({error})") from error


def stoi(reference: Signal, degraded: Signal, extended: bool) -> float:
    """Return STOI (Taal et al., IEEE TASLP 2011), or ESTOI (Jensen & Taal, 2016) if `extended`.

    Signals (n,) at 16 kHz with at least 30 frames (0.41 s) of speech.
    """
    from pystoi import stoi as pystoi

    with warnings.catch_warnings(), _fixed_numpy_seed():
        warnings.simplefilter("ignore", RuntimeWarning)
        value = float(pystoi(reference, degraded, SAMPLE_RATE, extended=extended))
    if value == TOO_FEW_FRAMES:
        raise Failure(Status.TOO_SHORT, "less than 0.41 s of speech between its silences")
    return value


def cpu_time() -> float:
    """Return the CPU seconds of this process and of its PESQ helper."""
    return time.process_time() + _pesq.cpu_s


@contextmanager
def _fixed_numpy_seed() -> Iterator[None]:
    # ESTOI adds noise from numpy's global generator, which decides what digital silence scores.
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
