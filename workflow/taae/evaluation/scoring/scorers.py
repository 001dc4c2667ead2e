"""Every metric's scorer, and the rows they give for one utterance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from taae.evaluation.config import Speaker
from taae.evaluation.metrics import COMPUTED, METRICS, Failure, Status
from taae.evaluation.scoring import signal_metrics
from taae.evaluation.scoring.cache import Known, digest, value_id
from taae.evaluation.scoring.dnsmos import dnsmos_p808, dnsmos_p835
from taae.evaluation.scoring.error_rates import ErrorRates, Texts
from taae.evaluation.scoring.pairing import Pair, Signals, given, read_pair
from taae.evaluation.scoring.pesq_stoi import cpu_time, pesq, stoi
from taae.evaluation.scoring.pitch import WINDOW as PITCH_WINDOW
from taae.evaluation.scoring.pitch import pitch
from taae.evaluation.scoring.plcmos import SHORTEST as PLCMOS_SHORTEST
from taae.evaluation.scoring.plcmos import plcmos
from taae.evaluation.scoring.recogniser import SHORTEST
from taae.evaluation.scoring.signal_metrics import Signal
from taae.evaluation.scoring.visqol import SHORTEST as VISQOL_SHORTEST
from taae.evaluation.scoring.visqol import visqol
from taae.utils.sample_rate import SAMPLE_RATE

version = cache(metadata.version)  # else read from a file for every value


@dataclass(frozen=True)
class Scorer:
    """What computes some metrics at once, and the signals it is defined for."""

    metrics: tuple[str, ...]
    compute: Callable[..., float | tuple[float, ...]]
    package: str
    shortest: float = 0.0  # seconds
    limited: bool = False  # whether `max_seconds` applies
    settings: str = ""  # where they are not the metrics' alone

    @property
    def intrusive(self) -> bool:
        """Whether it is given the reference, then the decoded signal."""
        return METRICS[self.metrics[0]].intrusive


def _mosnet(degraded: Signal, weights: Path | None) -> float:
    from taae.evaluation.scoring.mosnet import mosnet  # imports torch, which takes seconds

    assert weights, "else it is not asked for"
    return mosnet(degraded, weights)


def _speaker(reference: Signal, degraded: Signal, encoder: str, weights: str) -> float:
    from taae.evaluation.scoring.speaker import similarity  # imports torch

    return similarity(reference, degraded, encoder, weights)


def _distill_mos(degraded: Signal) -> float:
    from taae.evaluation.scoring.distill_mos import distill_mos  # imports torch

    return distill_mos(degraded)


SCORERS = (  # in the order of COMPUTED
    Scorer(("si_sdr",), signal_metrics.si_sdr, "taae"),
    Scorer(
        ("mel_distance", "stft_distance"),
        signal_metrics.distances,
        "taae",
        shortest=signal_metrics.WINDOW / SAMPLE_RATE,
    ),
    Scorer(
        ("mel_distance_dac", "stft_distance_dac"),
        signal_metrics.distances_dac,
        "taae",
        shortest=max(signal_metrics.DAC_MELS) / SAMPLE_RATE,
    ),
    Scorer(("pesq_wb",), partial(pesq, mode="wb"), "pesq", shortest=0.25, limited=True),
    Scorer(("pesq_nb",), partial(pesq, mode="nb"), "pesq", shortest=0.25, limited=True),
    Scorer(("stoi",), partial(stoi, extended=False), "pystoi", shortest=0.41),
    Scorer(("estoi",), partial(stoi, extended=True), "pystoi", shortest=0.41),
    Scorer(("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak"), dnsmos_p835, "speechmos"),
    Scorer(("dnsmos_p808",), dnsmos_p808, "speechmos"),
    Scorer(("mosnet",), _mosnet, "taae", shortest=512 / SAMPLE_RATE),
    Scorer(("plcmos",), plcmos, "speechmos", shortest=PLCMOS_SHORTEST),
    Scorer(("f0_rmse", "voicing_error"), pitch, "swift-f0", shortest=PITCH_WINDOW / SAMPLE_RATE),
    Scorer(("visqol",), visqol, "visqol-python", shortest=VISQOL_SHORTEST),
    Scorer(("speaker_ge2e",), partial(_speaker, encoder="ge2e"), "taae", shortest=1.2),
    Scorer(("speaker_wavlm",), partial(_speaker, encoder="wavlm"), "transformers", shortest=0.5),
    Scorer(("distillmos",), _distill_mos, "distillmos"),
)


def chosen(names: Sequence[str], mosnet_weights: Path | None, encoders: Speaker) -> list[Scorer]:
    """Return the scorers that compute `names`, each with its weights.

    Raises:
        TaaeError: weights of an encoder of speakers cannot be had: this is told now, not once an
            utterance.
    """
    scorers = [scorer for scorer in SCORERS if set(scorer.metrics) & set(names)]
    return [_with_weights(scorer, mosnet_weights, encoders) for scorer in scorers]


def _with_weights(scorer: Scorer, mosnet_weights: Path | None, encoders: Speaker) -> Scorer:
    weights: dict[str, Path | str | None] = {
        "mosnet": mosnet_weights,
        "speaker_ge2e": encoders.ge2e_weights,
        "speaker_wavlm": encoders.wavlm_weights,
    }
    name = scorer.metrics[0]
    if name not in weights:
        return scorer
    bound = replace(scorer, compute=partial(scorer.compute, weights=weights[name]))
    if name == "mosnet":
        return bound
    from taae.evaluation.scoring.speaker import load_encoder, wavlm_settings  # imports torch

    load_encoder(name.removeprefix("speaker_"), str(weights[name]))
    settings = wavlm_settings(encoders.wavlm_weights) if name == "speaker_wavlm" else ""
    return replace(bound, settings=settings)


def score_pair(
    task: tuple[Pair, Known],
    scorers: Sequence[Scorer],
    names: Sequence[str],
    max_seconds: float,
    max_trim: int,
    error_rates: ErrorRates | None = None,
) -> tuple[list[dict[str, Any]], Known]:
    """Score one utterance; return its rows in the order of `COMPUTED`, without labels.

    What is known from an earlier run spares the values that it has of these very signals; what is
    returned has the new values too.
    """
    pair, earlier = task
    signals = read_pair(pair, max_trim)
    content = digest(signals.reference, signals.degraded)
    known = earlier.get(content, {})
    about = {"utterance": pair.utterance, "speaker": pair.speaker, **signals.counts}
    rows: list[dict[str, Any]] = []
    with threadpool_limits(limits=1):  # on more threads such small products cost tenfold CPU
        for scorer in scorers:
            rows += _rows(scorer, signals, max_seconds, known)
        new: Texts
        new = {value_id(row): (row["value"], row["cpu_s"]) for row in rows if row["status"] == "ok"}
        if error_rates:
            found, text = _error_rates(error_rates, pair.utterance, signals, known)
            rows, new = rows + found, new | text
    rows.sort(key=lambda row: COMPUTED.index(row["metric"]))
    return [about | row for row in rows if row["metric"] in names], {content: known | new}


def _error_rates(
    error_rates: ErrorRates, utterance: str, signals: Signals, known: Texts
) -> tuple[list[dict[str, Any]], Texts]:
    try:
        (degraded,) = given(signals, shortest=SHORTEST)
    except Failure as failure:
        if failure.status == Status.SILENT_DEG:
            return error_rates.silent(utterance), {}
        return error_rates.failed(failure), {}
    return error_rates.rows(utterance, degraded, known)


def _rows(
    scorer: Scorer, signals: Signals, max_seconds: float, known: Texts
) -> list[dict[str, Any]]:
    package = f"{scorer.package} {version(scorer.package)}"
    rows = [
        {
            "metric": metric,
            "settings": scorer.settings or METRICS[metric].settings,
            "version": package,
        }
        for metric in scorer.metrics
    ]
    start = cpu_time()
    try:
        longest = max_seconds if scorer.limited else np.inf
        arguments = given(signals, scorer.shortest, longest, intrusive=scorer.intrusive)
        found = [known[value_id(row)] for row in rows if value_id(row) in known]
        if len(found) < len(rows):
            values = np.atleast_1d(scorer.compute(*arguments)).tolist()
            cpu_s = round((cpu_time() - start) / len(rows), 6)
            found = [(value, cpu_s) for value in values]
        outcomes = [_outcome(float(value)) | {"cpu_s": cpu_s} for value, cpu_s in found]
    except Exception as error:  # whatever a library raises concerns this metric alone
        crash = Failure(Status.CRASH, f"{type(error).__name__}: {error}")
        failure = error if isinstance(error, Failure) else crash
        outcome = {"value": np.nan, "status": str(failure.status), "message": failure.message}
        cpu_s = round((cpu_time() - start) / len(rows), 6)
        outcomes = [outcome | {"cpu_s": cpu_s}] * len(rows)
    return [row | outcome for row, outcome in zip(rows, outcomes, strict=True)]


def _outcome(value: float) -> dict[str, Any]:
    status, message = Status.OK, ""
    if value == np.inf:
        status = Status.IDENTICAL
        message = "the decoded signal is the reference but for gain, offset and float64 rounding"
    elif not np.isfinite(value):
        status, message = Status.DEGENERATE, f"the metric gives {value}"
        value = np.nan
    return {"value": value, "status": str(status), "message": message}
