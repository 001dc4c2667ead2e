"""What a trained codec costs: reach and latency from its config, time and memory measured."""

from __future__ import annotations

import io
import statistics
import timeit
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taae.codec.codec import load_codec
from taae.codec.complexity import milliseconds, profile
from taae.codec.pcm_stream import PcmStream
from taae.utils.memory import peak_mib
from taae.utils.sample_rate import SAMPLE_RATE

SECONDS = 10.0  # of noise that is encoded and decoded at once
REPEATS = 5
STREAMED = 300  # latent frames


def measure(model: Path, threads: int = 1) -> dict[str, Any]:
    """Return the costs of the model in a folder, on this machine's CPU.

    Keys: parameters, flops_per_second (of audio), receptive_field_ms, look_ahead_ms, latency_ms
    (algorithmic), state_kib and chunk_ms_{median,p99} (of one latent frame through encoder and
    decoder; None where the codec does not stream, and `note` says why), rtf (seconds of computing
    per second of audio, offline, median), peak_mib (of tensors beside the weights, offline, for
    ten seconds of audio), threads, note.
    """
    torch.set_num_threads(threads)
    codec = load_codec(model)
    costs = profile(codec.config)
    state = costs.state_bytes
    live: dict[str, Any] = {}
    if state is not None:
        stream = PcmStream(codec)
        sound = np.random.default_rng(0).normal(0, 3000, STREAMED * codec.hop).astype("<i2")
        stream.run(io.BytesIO(sound.tobytes()), io.BytesIO())
        live = stream.report()
    generator = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(1, round(SECONDS * SAMPLE_RATE), generator=generator)

    def work() -> Tensor:
        return codec.decode(codec.encode(noise.clone()))  # its memory counts

    _, *times = timeit.repeat(work, number=1, repeat=1 + REPEATS)  # the first one also allocates
    return {
        "parameters": costs.parameters,
        "flops_per_second": costs.flops_per_second,
        "receptive_field_ms": milliseconds(costs.receptive_field),
        "look_ahead_ms": milliseconds(costs.look_ahead),
        "latency_ms": milliseconds(costs.latency),
        "state_kib": state / 1024 if state is not None else None,
        "chunk_ms_median": live.get("frame_ms_median"),
        "chunk_ms_p99": live.get("frame_ms_p99"),
        "rtf": statistics.median(times) / SECONDS,
        "peak_mib": peak_mib(work),
        "threads": threads,
        "note": "" if state is not None else "does not stream: it looks ahead",
    }
