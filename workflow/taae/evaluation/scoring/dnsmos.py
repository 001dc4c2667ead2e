"""DNSMOS, a listener's rating without a reference, by the networks that speechmos ships."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from taae.evaluation.scoring.networks import cutter, part, read_network, session
from taae.evaluation.scoring.signal_metrics import Signal
from taae.utils.mel import mel_bank
from taae.utils.sample_rate import SAMPLE_RATE

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Audio = NDArray[np.float32]
Network = Callable[[Audio], Audio]

WINDOW_SECONDS = 9.01
WINDOW = 144_160  # samples
SECONDS = 9  # blocks of 100 frames in a window: 900 frames of 320 samples, one each 160
FRAMES, HOP = 100, 160
POOLED = FRAMES // 2
HALO = 4  # frames that the four convolutions before the pooling see to each side
MEL_WINDOW, MELS = 321, 120  # samples of the P.808 network's own frames, and its bands
# From the networks' raw outputs to ratings (Reddy et al., ICASSP 2022), highest power first.
SIG = (-0.08397278, 1.22083953, 0.0052439)
BAK = (-0.13166888, 1.60915514, -0.39604546)
OVRL = (-0.06766283, 1.11546468, 0.04602535)


def dnsmos_p835(degraded: Signal) -> tuple[float, ...]:
    """Return (OVRL, SIG, BAK) of a signal (n,), n > 0, at 16 kHz within [-1, 1].

    Equal to `speechmos.dnsmos.run`. Reddy et al., "DNSMOS P.835", ICASSP 2022.
    """
    audio, hops = windows(degraded)
    sig, bak, ovrl = _raw_p835(audio, hops).T
    pairs = ((OVRL, ovrl), (SIG, sig), (BAK, bak))
    return tuple(float(np.polyval(powers, raw).mean()) for powers, raw in pairs)


def dnsmos_p808(degraded: Signal) -> float:
    """Return the P.808 rating (Reddy et al., ICASSP 2021); else as `dnsmos_p835`."""
    audio, hops = windows(degraded)
    network = _p808_network()
    # One window a call: a batch takes more than twice the time, as it falls out of the cache.
    return float(np.mean([network(window[None]) for window in _mel_spectrograms(audio, hops)]))


def windows(signal: Signal) -> tuple[Audio, list[int]]:
    """Return the audio, and in which seconds of it the windows start that speechmos averages.

    A signal shorter than a window is doubled until it is not. speechmos rounds the end of a
    window down and drops one that falls short, so float error costs it those that start between
    7 and 23 s; it must be so here too, or ratings would not compare with published ones.
    """
    audio = signal.astype(np.float32)
    while audio.size < WINDOW:
        audio = np.append(audio, audio)
    hops = range(int(audio.size // SAMPLE_RATE - WINDOW_SECONDS) + 1)
    ends = [int((hop + WINDOW_SECONDS) * SAMPLE_RATE) for hop in hops]
    return audio, [hop for hop in hops if ends[hop] - hop * SAMPLE_RATE == WINDOW]


def _raw_p835(audio: Audio, hops: list[int]) -> Audio:
    """Return the network's outputs (windows, 3), with the work that windows share done once.

    98% of the network's cost lies in its first four convolutions. Windows overlap by eight
    seconds of nine, and there these convolutions differ only at the two ends of a window, where
    zeros pad it. So each second is convolved once, and then each window's ends.
    """
    spectrum, convolve, rate = _p835_parts()
    power = np.zeros((1, FRAMES * (hops[-1] + SECONDS), 161), np.float32)
    # Windows share a grid of frames, so a few have those of all. The few may be dropped ones: what
    # is left of `hops` may skip seconds, and every ninth of it would leave others out.
    for hop in {*range(0, hops[-1], SECONDS), hops[-1]}:
        window = audio[None, hop * SAMPLE_RATE :][:, :WINDOW]
        power[:, FRAMES * hop :][:, : FRAMES * SECONDS] = spectrum(window)
    shared = np.zeros((1, 32, POOLED * (hops[-1] + SECONDS), 80), np.float32)
    for second in sorted({hop + block for hop in hops for block in range(SECONDS)}):
        start = max(0, FRAMES * second - HALO)
        pooled = convolve(power[:, start : FRAMES * (second + 1) + HALO])
        skip = POOLED * second - start // 2
        shared[:, :, POOLED * second :][:, :, :POOLED] = pooled[:, :, skip : skip + POOLED]
    raw = []
    for hop in hops:
        frames = power[:, FRAMES * hop :][:, : FRAMES * SECONDS]
        features = shared[:, :, POOLED * hop :][:, :, : POOLED * SECONDS].copy()
        features[:, :, : HALO // 2] = convolve(frames[:, : 2 * HALO])[:, :, : HALO // 2]
        features[:, :, -HALO // 2 :] = convolve(frames[:, -2 * HALO :])[:, :, -HALO // 2 :]
        raw.append(rate(features)[0])
    return np.array(raw)


def _mel_spectrograms(audio: Audio, hops: list[int]) -> Audio:
    """Return scaled decibels (windows, 900, 120): librosa's, whose frames are centred.

    Windows share all frames except the first and the last, which reach over their ends.
    """
    padded = np.pad(audio, (HOP, HOP + 1))
    frames = np.lib.stride_tricks.sliding_window_view(padded, MEL_WINDOW)[::HOP]
    starts = FRAMES * np.array(hops)
    first, last = frames[starts], frames[starts + FRAMES * SECONDS - 1]
    first[:, :HOP] = last[:, -1] = 0.0
    shared = _mel_power(frames[: starts[-1] + FRAMES * SECONDS])
    power = np.stack([shared[start : start + FRAMES * SECONDS] for start in starts])
    power[:, 0], power[:, -1] = _mel_power(first), _mel_power(last)
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    decibels -= decibels.max(axis=(1, 2), keepdims=True)
    scaled: Audio = ((np.maximum(decibels, -80.0) + 40) / 40).astype(np.float32)
    return scaled


def _mel_power(frames: Audio) -> Signal:
    spectrum = np.fft.rfft(frames * np.hanning(MEL_WINDOW + 1)[:-1])
    return (spectrum.real**2 + spectrum.imag**2) @ mel_bank(MEL_WINDOW, MELS).T


@cache
def _p835_parts() -> tuple[Network, Network, Network]:
    """Return waveform -> log power spectrum -> features after the first pooling -> ratings."""
    spectrum = "mos_estimator_logpow/truediv:0"
    pooled = "mos_estimator_logpow/conv2d_3/Relu:0_pooling0"
    parts = cutter(read_network("dnsmos_models/sig_bak_ovr.onnx"), [spectrum, pooled])
    ends = (("input_1", spectrum), (spectrum, pooled), (pooled, "Identity:0"))
    first, second, third = (_callable(part(parts, [source], [end])) for source, end in ends)
    return first, second, third


@cache
def _p808_network() -> Network:
    return _callable(session(read_network("dnsmos_models/model_v8.onnx")))


def _callable(loaded: InferenceSession) -> Network:
    """Return a network of one input and one output as a function."""
    (source,) = loaded.get_inputs()

    def run(array: Audio) -> Any:
        return loaded.run(None, {source.name: array})[0]

    return run
