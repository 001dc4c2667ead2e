"""PLCMOS, a listener's rating of concealed packet loss, by the network that speechmos ships."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from taae.evaluation.scoring.networks import cutter, part, read_network
from taae.evaluation.scoring.signal_metrics import Signal
from taae.utils.sample_rate import SAMPLE_RATE

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

WINDOW, HOP = 512, 256  # samples
SHORTEST = (5 * HOP + 1) / SAMPLE_RATE  # seconds: its poolings need six frames
RATERS = 15  # that the network is asked to be, one after another
TASTES = 64  # numbers that a rater is
FLOOR = 12 * math.log(10)  # by which a zero lies below the least power: 120 dB
SEED = 0
HEARD = ["onnx::Concat_335", "onnx::Concat_337"]  # where the rater joins the audio


def plcmos(degraded: Signal) -> float:
    """Return the rating of a signal (n,) at 16 kHz, at least `SHORTEST`, not silent.

    Equal to `speechmos.plcmos.run` after `numpy.random.seed(SEED)`: its raters are drawn at random,
    here always the same ones, so that a rating can be repeated. Diener et al., "PLCMOS",
    Interspeech 2023.
    """
    listen, rate = _parts()
    heard = listen.run(None, {"degraded_audio": _log_power(degraded)[None, None]})
    given = dict(zip(HEARD, heard, strict=True))
    ratings = [float(rate.run(None, given | {"rater_embed": rater})[0]) for rater in _raters()]
    return sum(ratings) / RATERS


def _log_power(signal: Signal) -> NDArray[np.float32]:
    """Return the network's features (frames, 257); the last frame starts within the signal."""
    frames = math.ceil(signal.size / HOP) + 1
    padded = np.zeros((frames + 1) * HOP)
    padded[HOP:][: signal.size] = signal
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(windows * np.hamming(WINDOW + 1)[:-1])) ** 2
    zero = power == 0
    logs = np.log(np.where(zero, 1.0, power))
    logs[zero] = np.log(power[~zero].min()) - FLOOR
    scaled: NDArray[np.float32] = (logs / 20).astype(np.float32)
    return scaled


@cache
def _raters() -> NDArray[np.float32]:
    drawn = np.random.RandomState(SEED).normal(size=(RATERS, 1, TASTES))  # as speechmos draws
    return drawn.astype(np.float32)


@cache
def _parts() -> tuple[InferenceSession, InferenceSession]:
    """Return audio -> what is heard -> rating: the first, and dear, is the same for all raters."""
    parts = cutter(read_network("plcmos_models/plcmos_v2.onnx"), HEARD)
    listen = part(parts, ["degraded_audio"], HEARD)
    return listen, part(parts, [*HEARD, "rater_embed"], ["plcmos"])
