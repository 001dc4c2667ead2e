"""Scores that model a listener, by their usual packages: PESQ, STOI and ESTOI."""

from __future__ import annotations

import time
import warnings

import numpy as np

from taae.evaluation.metrics import Failure, Status
from taae.evaluation.scoring.signal_metrics import Signal
from taae.utils.processes import ProcessDied, Worker
from taae.utils.sample_rate import SAMPLE_RATE

TOO_FEW_FRAMES = 1e-5  # what pystoi returns in place of an error


def pesq(reference: Signal, degraded: Signal, mode: str) -> float:
    """Return PESQ as MOS-LQO: `mode` "wb" (ITU-T P.862.2) or "nb" (P.862 mapped by P.862.1).

    Signals (n,) at 16 kHz, at least 0.25 s. Up to 30 s is safe; beyond, the reference code may
    overrun its buffers.
    """
    try:
        return float(_pesq(reference, degraded, mode))
    except ProcessDied as error:
        raise Failure(Status.CRASH, f"PESQ died ({error})") from error


def _pesq_here(reference: Signal, degraded: Signal, mode: str) -> float:
    from pesq import NoUtterancesError, pesq

    try:
        return float(pesq(SAMPLE_RATE, reference, degraded, mode))
    except NoUtterancesError:
        raise Failure(Status.NO_UTTERANCE, "PESQ finds no speech") from None


_pesq = Worker(_pesq_here)  # a process of its own: the C code dies of some input by a signal


def cpu_time() -> float:
    """Return the CPU seconds of this process and of the one that computes PESQ."""
    return time.process_time() + _pesq.cpu_s


def stoi(reference: Signal, degraded: Signal, extended: bool) -> float:
    """Return STOI (Taal et al., IEEE TASLP 2011), or ESTOI (Jensen & Taal, 2016) if `extended`.

    Signals (n,) at 16 kHz with at least 30 frames (0.41 s) of speech.
    """
    from pystoi import stoi as pystoi

    # ESTOI adds noise from numpy's global generator, which decides what digital silence scores.
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            value = float(pystoi(reference, degraded, SAMPLE_RATE, extended=extended))
    finally:
        np.random.set_state(state)  # noqa: NPY002
    if value == TOO_FEW_FRAMES:
        raise Failure(Status.TOO_SHORT, "less than 0.41 s of speech between its silences")
    return value
