"""What a trained codec costs: reach and latency from its config, time and memory measured."""

from __future__ import annotations

import io
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from taae.codec import TAAE, Codec
from taae.latency import milliseconds, profile
from taae.pcm import PcmStream
from taae.study import SAMPLE_RATE

SECONDS = 10.0  # of noise that is encoded and decoded at once
REPEATS = 5
STREAMED = 300  # latent frames


def measure(model: Path, threads: int = 1) -> dict[str, Any]:
    """Return the costs of the model in a folder, on this machine's CPU.

    Keys: parameters, flops_per_second (of audio), receptive_field_ms, look_ahead_ms, latency_ms
    (algorithmic), state_kib and chunk_ms_{median,p99} (of one latent frame through encoder and
    decoder; None where the codec does not stream), rtf (seconds of computing per second of audio,
    offline, median), peak_mib (beyond the process with the model
    loaded), threads.
    """
    torch.set_num_threads(threads)
    codec = Codec.from_pretrained(model)
    config = codec.config
    costs = profile(config.model, config.attention, config.bottleneck)
    before = _peak_mib()
    streams = costs.state_bytes is not None
    live = _stream(codec) if streams and isinstance(codec, TAAE) else {}
    return {
        "parameters": costs.parameters,
        "flops_per_second": costs.flops_per_second,
        "receptive_field_ms": milliseconds(costs.codec.receptive_field),
        "look_ahead_ms": milliseconds(costs.codec.look_ahead),
        "latency_ms": costs.latency_ms,
        "state_kib": costs.state_bytes / 1024 if costs.state_bytes is not None else None,
        "chunk_ms_median": live.get("frame_ms_median"),
        "chunk_ms_p99": live.get("frame_ms_p99"),
        "rtf": _real_time_factor(codec),
        "peak_mib": _peak_mib() - before,
        "threads": threads,
    }


def _real_time_factor(codec: Codec) -> float:
    wave = torch.randn(1, round(SECONDS * SAMPLE_RATE), generator=torch.Generator().manual_seed(0))
    wave *= 0.1
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        codec.decode(codec.encode(wave))
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:]) / SECONDS  # the first one also allocates


def _stream(codec: TAAE) -> dict[str, Any]:
    noise = np.random.default_rng(0).normal(0, 3000, STREAMED * codec.hop)
    live = PcmStream(codec)
    live.run(io.BytesIO(noise.clip(-32768, 32767).astype("<i2").tobytes()), io.BytesIO())
    report: dict[str, Any] = live.report()
    return report


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)
