"""ViSQOL in its speech mode: similarity of spectrograms, mapped to a rating."""

from __future__ import annotations

from functools import cache
from typing import Any

from taae.evaluation.metrics import Failure, Status
from taae.evaluation.scoring.signal_metrics import Signal
from taae.utils.sample_rate import SAMPLE_RATE

SHORTEST = 1280 / SAMPLE_RATE  # seconds: a window of its spectrogram


def visqol(reference: Signal, degraded: Signal, sample_rate: int = SAMPLE_RATE) -> float:
    """Return the MOS-LQO of signals (n,), at least `SHORTEST`.

    Chinen et al., "ViSQOL v3", QoMEX 2020, as the package visqol-python computes it, with the
    lattice network that is the default of Google's own program.

    Raises:
        Failure: the reference has no patch of 0.4 s with speech.
    """
    try:
        return float(_api().measure_from_arrays(reference, degraded, sample_rate).moslqo)
    except IndexError:  # it takes the first of the reference's patches
        raise Failure(Status.NO_UTTERANCE, "ViSQOL finds no patch of speech") from None


@cache
def _api() -> Any:
    from visqol import VisqolApi

    api = VisqolApi()
    # Without the lattice it would fall back to a polynomial, 1 to 2 points too high.
    api.create(mode="speech", use_lattice_model=True)
    return api
