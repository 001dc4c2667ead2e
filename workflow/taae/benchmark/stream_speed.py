"""One latent frame through a streaming encoder and decoder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from taae.benchmark.codec_speed import untrained
from taae.benchmark.timing import report
from taae.codec.codec import load_codec
from taae.codec.complexity import milliseconds, profile
from taae.codec.config import Attention
from taae.codec.pcm_stream import PcmStream

FRAMES = 500


def stream(model: Path | None = None, quick: bool = False) -> dict[str, Any]:
    """Stream noise frame by frame, print one JSON line of figures and return these.

    Args:
        model: folder of a causal codec; without one, an untrained one of 18 million parameters
            and window 64.
        quick: fewer frames.
    """
    codec = load_codec(model) if model else untrained(Attention(64, True))
    live = PcmStream(codec)
    count = (FRAMES // 10 if quick else FRAMES) * codec.hop
    noise = np.random.default_rng(0).normal(0, 3000, count).clip(-32768, 32767)
    live.run(io.BytesIO(noise.astype("<i2").tobytes()), io.BytesIO())
    costs = profile(codec.config)
    return report(
        {
            **live.report(),
            "frame_audio_ms": milliseconds(codec.hop),
            "latency_ms": milliseconds(costs.latency),
            "state_kib": round((costs.state_bytes or 0) / 1024, 1),
            "parameters": costs.parameters,
        }
    )
