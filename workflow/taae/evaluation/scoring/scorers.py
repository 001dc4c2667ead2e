"""Every metric's scorer, and the rows they give for one utterance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from taae.evaluation.metrics import METRICS
from taae.evaluation.scoring import signal_metrics
from taae.evaluation.scoring.cache import Entry, digest, value_id
from taae.evaluation.scoring.dnsmos import dnsmos_p808, dnsmos_p835
from taae.evaluation.scoring.pairing import Pair, Signals, is_silent, read_pair
from taae.evaluation.scoring.pesq_stoi import cpu_time, pesq, stoi
from taae.evaluation.scoring.signal_metrics import Signal
from taae.evaluation.scoring.status import Failure, Status
from taae.utils.sample_rate import SAMPLE_RATE

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


def _mosnet(degraded: Signal, weights: Path) -> float:
    from taae.evaluation.scoring.mosnet import mosnet  # imports torch, which takes seconds

    return mosnet(degraded, weights)


STFT_WINDOW = signal_metrics.WINDOW / SAMPLE_RATE
DAC_WINDOW = max(signal_metrics.DAC_MELS) / SAMPLE_RATE
SCORERS = (  # in the order of METRICS
    Scorer(("si_sdr",), signal_metrics.si_sdr, "taae"),
    Scorer(
        ("mel_distance", "stft_distance"), signal_metrics.distances, "taae", shortest=STFT_WINDOW
    ),
    Scorer(
        ("mel_distance_dac", "stft_distance_dac"),
        signal_metrics.distances_dac,
        "taae",
        shortest=DAC_WINDOW,
    ),
    Scorer(("pesq_wb",), partial(pesq, mode="wb"), "pesq", shortest=0.25, limited=True),
    Scorer(("pesq_nb",), partial(pesq, mode="nb"), "pesq", shortest=0.25, limited=True),
    Scorer(("stoi",), partial(stoi, extended=False), "pystoi", shortest=0.41),
    Scorer(("estoi",), partial(stoi, extended=True), "pystoi", shortest=0.41),
    Scorer(("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak"), dnsmos_p835, "speechmos", intrusive=False),
    Scorer(("dnsmos_p808",), dnsmos_p808, "speechmos", intrusive=False),
    Scorer(("mosnet",), _mosnet, "taae", shortest=512 / SAMPLE_RATE, intrusive=False),
)


def chosen(names: Sequence[str], mosnet_weights: Path | None) -> list[Scorer]:
    """Return the scorers that compute `names`; "mosnet" needs its weights."""
    scorers = [scorer for scorer in SCORERS if set(scorer.metrics) & set(names)]
    if mosnet_weights is None:
        return scorers
    bound = partial(_mosnet, weights=mosnet_weights)
    return [
        replace(scorer, compute=bound) if scorer.compute is _mosnet else scorer
        for scorer in scorers
    ]


def score_pair(
    task: tuple[Pair, Entry | None],
    scorers: Sequence[Scorer],
    names: Sequence[str],
    max_seconds: float,
    max_trim: int,
) -> tuple[list[dict[str, Any]], Entry]:
    """Score one utterance; return its rows in the order of `METRICS`, without labels.

    The entry of an earlier run spares the values that it has for these very signals; the one
    returned has the new values too.
    """
    pair, earlier = task
    signals = read_pair(pair, max_trim)
    entry = Entry(digest(signals.reference, signals.degraded))
    if earlier and earlier.content == entry.content:
        entry = earlier
    about = {"utterance": pair.utterance, "speaker": pair.speaker}
    about |= {count: getattr(signals, count) for count in COUNTS}
    with threadpool_limits(limits=1):  # on more threads such small products cost tenfold CPU
        rows = [
            row for scorer in scorers for row in _rows(scorer, names, signals, max_seconds, entry)
        ]
    new = {value_id(row): (row["value"], row["cpu_s"]) for row in rows if row["status"] == "ok"}
    return [about | row for row in rows], replace(entry, values=entry.values | new)


def _rows(
    scorer: Scorer, names: Sequence[str], signals: Signals, max_seconds: float, entry: Entry
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "metric": metric,
            "settings": METRICS[metric].settings,
            "version": f"{scorer.package} {version(scorer.package)}",
        }
        for metric in scorer.metrics
        if metric in names
    ]
    start = cpu_time()
    failure = _problem(scorer, signals, max_seconds)
    known = [entry.values.get(value_id(row)) for row in rows]
    if failure is None and all(known):
        for row, (value, cpu_s) in zip(rows, filter(None, known), strict=True):
            row |= {"value": value, "status": str(Status.OK), "message": "", "cpu_s": cpu_s}
        return rows
    failure, values = _apply(scorer, signals, failure)
    cpu_s = round((cpu_time() - start) / len(rows), 6)
    for row in rows:
        value = values[scorer.metrics.index(row["metric"])]
        status, message = _outcome(value, failure)
        value = np.nan if status.failed else value
        row |= {"value": value, "status": str(status), "message": message, "cpu_s": cpu_s}
    return rows


def _given(scorer: Scorer, signals: Signals) -> dict[str, Signal]:
    given = {"reference": signals.reference, "decoded": signals.degraded}
    return given if scorer.intrusive else {"decoded": signals.degraded}


def _apply(
    scorer: Scorer, signals: Signals, failure: Failure | None
) -> tuple[Failure | None, tuple[float, ...]]:
    """Return a scorer's values, all NaN beside the failure if there is one."""
    if failure is None:
        try:
            values = scorer.compute(*_given(scorer, signals).values())
            return None, values if isinstance(values, tuple) else (values,)
        except Failure as error:
            failure = error
        except Exception as error:  # whatever a library raises concerns this metric alone
            failure = Failure(Status.CRASH, f"{type(error).__name__}: {error}")
    return failure, (np.nan,) * len(scorer.metrics)


def _problem(scorer: Scorer, signals: Signals, max_seconds: float) -> Failure | None:
    """Return why the scorer would crash on these signals, or misjudge them."""
    if signals.problem:
        return signals.problem
    given = _given(scorer, signals)
    for side, samples in given.items():
        if not np.isfinite(samples).all():
            return Failure(Status.NONFINITE, f"NaN or infinity in the {side} signal")
    seconds = signals.degraded.size / SAMPLE_RATE
    if seconds == 0:
        return Failure(Status.TOO_SHORT, "no samples")
    if seconds < scorer.shortest:
        return Failure(Status.TOO_SHORT, f"{seconds:.3f} s; needs {scorer.shortest:g} s")
    if scorer.limited and seconds > max_seconds:
        return Failure(Status.TOO_LONG, f"{seconds:.1f} s; is given at most {max_seconds:g} s")
    for side, samples in given.items():
        if is_silent(samples):
            status = Status.SILENT_REF if side == "reference" else Status.SILENT_DEG
            return Failure(status, f"the {side} signal is silent")
    return None


def _outcome(value: float, failure: Failure | None) -> tuple[Status, str]:
    if failure:
        return failure.status, failure.message
    if value == np.inf:
        message = "the decoded signal is the reference but for gain, offset and float64 rounding"
        return Status.IDENTICAL, message
    if not np.isfinite(value):
        return Status.DEGENERATE, f"the metric gives {value}"
    return Status.OK, ""
