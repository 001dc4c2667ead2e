"""Every metric's scorer, and the rows they give for one utterance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from taae.metrics import METRICS
from taae.scoring import signal
from taae.scoring.dnsmos import dnsmos_p808, dnsmos_p835
from taae.scoring.pairing import Pair, Signals, is_silent, read_pair
from taae.scoring.perceptual import cpu_time, pesq, stoi
from taae.scoring.signal import Signal
from taae.scoring.status import Failure, Status
from taae.study import SAMPLE_RATE

COUNTS = ["n_ref", "n_deg", "n_trimmed", "lag_samples", "n_clipped"]


@dataclass(frozen=True)
class Scorer:
    """What computes some metrics at once, and the signals it is defined for."""

    metrics: tuple[str, ...]
    compute: Callable[..., float | tuple[float, ...]]
    package: str
    shortest: float = 0.0  # seconds
    limited: bool = False  # whether `max_seconds` applies
    intrusive: bool = True  # whether it is given the reference, then the decoded signal


STFT_WINDOW = signal.WINDOW / SAMPLE_RATE
SCORERS = (  # in the order of METRICS
    Scorer(("si_sdr",), signal.si_sdr, "taae"),
    Scorer(("mel_distance",), signal.mel_distance, "taae", shortest=STFT_WINDOW),
    Scorer(("stft_distance",), signal.stft_distance, "taae", shortest=STFT_WINDOW),
    Scorer(("pesq_wb",), partial(pesq, mode="wb"), "pesq", shortest=0.25, limited=True),
    Scorer(("pesq_nb",), partial(pesq, mode="nb"), "pesq", shortest=0.25, limited=True),
    Scorer(("stoi",), partial(stoi, extended=False), "pystoi", shortest=0.41),
    Scorer(("estoi",), partial(stoi, extended=True), "pystoi", shortest=0.41),
    Scorer(("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak"), dnsmos_p835, "speechmos", intrusive=False),
    Scorer(("dnsmos_p808",), dnsmos_p808, "speechmos", intrusive=False),
)


def score_pair(
    pair: Pair, names: Sequence[str], max_seconds: float, max_trim: int
) -> list[dict[str, Any]]:
    """Score one utterance; return its rows in the order of `METRICS`, without labels."""
    signals = read_pair(pair, max_trim)
    about = {"utterance": pair.utterance, "speaker": pair.speaker}
    about |= {count: getattr(signals, count) for count in COUNTS}
    with threadpool_limits(limits=1):  # on more threads such small products cost tenfold CPU
        rows = [row for scorer in SCORERS for row in _rows(scorer, names, signals, max_seconds)]
    return [about | row for row in rows]


def _rows(
    scorer: Scorer, names: Sequence[str], signals: Signals, max_seconds: float
) -> list[dict[str, Any]]:
    wanted = [metric for metric in scorer.metrics if metric in names]
    if not wanted:
        return []
    start = cpu_time()
    failure, values = _apply(scorer, signals, max_seconds)
    cpu_s = (cpu_time() - start) / len(wanted)
    rows = []
    for metric in wanted:
        value = values[scorer.metrics.index(metric)]
        status, message = _outcome(value, failure)
        rows.append(
            {
                "metric": metric,
                "settings": METRICS[metric].settings,
                "value": np.nan if status.failed else value,
                "status": str(status),
                "message": message,
                "version": f"{scorer.package} {version(scorer.package)}",
                "cpu_s": round(cpu_s, 6),
            }
        )
    return rows


def _apply(
    scorer: Scorer, signals: Signals, max_seconds: float
) -> tuple[Failure | None, tuple[float, ...]]:
    """Return a scorer's values, all NaN beside the failure if there is one."""
    try:
        if signals.problem:
            raise signals.problem
        given = {"reference": signals.reference, "decoded": signals.degraded}
        if not scorer.intrusive:
            del given["reference"]
        _check(scorer, given, max_seconds)
        values = scorer.compute(*given.values())
        return None, values if isinstance(values, tuple) else (values,)
    except Failure as error:
        failure = error
    except Exception as error:  # whatever a library raises concerns this metric alone
        failure = Failure(Status.CRASH, f"{type(error).__name__}: {error}")
    return failure, (np.nan,) * len(scorer.metrics)


def _check(scorer: Scorer, given: dict[str, Signal], max_seconds: float) -> None:
    """Raise a `Failure` for signals that the scorer would crash on or misjudge."""
    for side, samples in given.items():
        if not np.isfinite(samples).all():
            raise Failure(Status.NONFINITE, f"NaN or infinity in the {side} signal")
    seconds = given["decoded"].size / SAMPLE_RATE
    if seconds == 0 or seconds < scorer.shortest:
        raise Failure(Status.TOO_SHORT, f"{seconds:.3f} s; needs {scorer.shortest:g} s")
    if scorer.limited and seconds > max_seconds:
        raise Failure(Status.TOO_LONG, f"{seconds:.1f} s; is given at most {max_seconds:g} s")
    for side, samples in given.items():
        if is_silent(samples):
            status = Status.SILENT_REF if side == "reference" else Status.SILENT_DEG
            raise Failure(status, f"the {side} signal is silent")


def _outcome(value: float, failure: Failure | None) -> tuple[Status, str]:
    if failure:
        return failure.status, failure.message
    if value == np.inf:
        return Status.IDENTICAL, "the decoded signal is the reference but for gain and offset"
    if not np.isfinite(value):
        return Status.DEGENERATE, f"the metric gives {value}"
    return Status.OK, ""
