"""From any recording to 16 kHz mono at a set loudness, or to a reason for rejecting it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taae.corpus.utterance import Label, Outcome, Rejected, Utterance
from taae.utils.audio import BLOCK, RejectedError, decibel, loudness_gain, to_int16, to_mono

FULL_SCALE = 0.99  # 127 / 128, the largest value of 8-bit audio, and everything above
CLIPPED_RUN = 3  # equal samples in a row at the peak
CLIPPED_SHARE = 1e-3  # of the samples of a channel

REASONS = ("unreadable", "empty", "nonfinite", "too_short", "too_long", "silent", "clipped")


@dataclass(frozen=True)
class Target:
    """What utterances are brought to (`loudness`, LUFS), and the shortest that is kept (s)."""

    loudness: float
    min_seconds: float


def normalise(audio: NDArray[np.float64], rate: int, label: Label, target: Target) -> Outcome:
    """Bring a recording (samples, channels) at `rate` Hz to 16 kHz mono at the target loudness.

    The channels are averaged, resampled (soxr, HQ) and scaled to the integrated loudness of
    ITU-R BS.1770-4, or as near to it as a peak of 0.99 allows.
    """
    try:
        check(audio, rate, target)
        mono = to_mono(audio, rate)
        gain, loudness = loudness_gain(mono, target.loudness)
    except RejectedError as error:
        return Rejected(label, error.reason, error.detail)
    limited = loudness < target.loudness
    return Utterance(label, to_int16(mono * gain), loudness, decibel(gain), limited, rate)


def check(audio: NDArray[np.float64], rate: int, target: Target) -> None:
    """Raise a `RejectedError` for a recording that should not enter a corpus."""
    frames = len(audio)
    if frames == 0:
        raise RejectedError("empty", "no samples")
    if not np.isfinite(audio).all():
        raise RejectedError("nonfinite", f"{(~np.isfinite(audio)).sum()} samples are NaN or Inf")
    shortest = max(target.min_seconds, BLOCK)
    if frames < shortest * rate:
        raise RejectedError("too_short", f"{frames / rate:.3f} s; the least is {shortest:g} s")
    if not np.ptp(audio, axis=0).any():  # an offset would pass the gate, by its step at the start
        raise RejectedError("silent", "every sample is the same")
    share = clipped_share(audio)
    if share > CLIPPED_SHARE:
        raise RejectedError("clipped", f"{share:.2%} of the samples lie flat at full scale")


def clipped_share(audio: NDArray[np.float64]) -> float:
    """Return the share of hard-clipped samples of the worst channel of (samples, channels).

    A sample counts when it lies in a run of at least three equal samples at the channel's
    positive or negative extreme and that extreme is at full scale. Speech touches its peak once
    and moves on; a limiter of the recorder stays there. Clipping that was scaled down or coded
    lossily afterwards leaves no such runs and passes.
    """
    worst = 0.0
    for channel in audio.T:
        flat = 0
        for peak in (channel.max(), channel.min()):
            if abs(peak) < FULL_SCALE:
                continue
            edges = np.flatnonzero(np.diff(channel == peak, prepend=False, append=False))
            runs = edges[1::2] - edges[::2]
            flat += int(runs[runs >= CLIPPED_RUN].sum())
        worst = max(worst, flat / len(channel))
    return worst
