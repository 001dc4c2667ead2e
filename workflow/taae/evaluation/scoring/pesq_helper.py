"""PESQ, to be called in a process of its own: its C code dies of some input by a signal."""

from __future__ import annotations

import ctypes
import platform

from pesq import NoUtterancesError, pesq

from taae.evaluation.scoring.signal_metrics import Signal
from taae.evaluation.scoring.status import Failure, Status
from taae.utils.sample_rate import SAMPLE_RATE


def score(reference: Signal, degraded: Signal, mode: str) -> float:
    """Return MOS-LQO; `mode` is "wb" or "nb"."""
    flush_denormals()
    try:
        return float(pesq(SAMPLE_RATE, reference, degraded, mode))
    except NoUtterancesError:
        raise Failure(Status.NO_UTTERANCE, "PESQ finds no speech") from None


def flush_denormals() -> None:
    """Have the processor take floats below 1e-38 for zero.

    In a pause PESQ's recursive filters decay into them, where an x86 processor is a hundred times
    slower: a fifth to a third of PESQ's time. Nothing of that size reaches a score.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return
    libc = ctypes.CDLL(None)
    environment = (ctypes.c_uint32 * 8)()  # fenv_t, whose last word is the register MXCSR
    libc.fegetenv(environment)
    environment[7] |= 0x8040  # its bits FTZ and DAZ
    libc.fesetenv(environment)
