"""What trained codecs cost: reach and latency from their configs, time and memory measured.

Models take turns, round after round, and their times are of the CPU: what else the machine does
slows all of them alike, or none.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taae.codec.codec import Codec, load_codec
from taae.codec.complexity import milliseconds, profile
from taae.codec.pcm_stream import PcmStream
from taae.utils.errors import TaaeError
from taae.utils.log import log
from taae.utils.memory import peak_mib
from taae.utils.sample_rate import SAMPLE_RATE

SECONDS = 10.0  # of noise that is encoded and decoded at once
ROUNDS = 7
STREAMED = 300  # latent frames


def measure(models: Sequence[Path], threads: int = 1) -> dict[str, dict[str, Any]]:
    """Return the costs of the models in some folders, on this machine's CPU.

    By the last two parts of each folder's path, the run, the keys: parameters, flops_per_second (of
    audio), receptive_field_ms, look_ahead_ms, latency_ms (algorithmic), state_kib and
    chunk_ms_{median,p99} (by the clock, of one latent frame through encoder and decoder; None where
    the codec does not stream, and `note` says why), rtf (seconds of CPU per second of audio,
    offline: the median over the rounds) with rtf_{low,high} (the least and the most of a round) and
    rtf_clock (by the clock, median), rounds, peak_mib (of tensors beside the weights, offline, for
    ten seconds of audio), threads, note.

    Raises:
        TaaeError: two folders have the same name.
    """
    runs = ["/".join(model.parts[-2:]) for model in models]
    if len(set(runs)) < len(runs):
        raise TaaeError(f"cost: two of the models have the same name, of {', '.join(runs)}")
    torch.set_num_threads(threads)
    codecs = [load_codec(model) for model in models]
    generator = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(1, round(SECONDS * SAMPLE_RATE), generator=generator)
    work = [partial(_work, codec, noise) for codec in codecs]
    for each in work:
        each()  # the first time also allocates
    spent: dict[str, list[tuple[float, float]]] = {run: [] for run in runs}
    order = list(zip(runs, work, strict=True))
    for turn in range(ROUNDS):
        for run, each in order[:: -1 if turn % 2 else 1]:  # so that neighbours come first and last
            cpu, clock = time.process_time(), time.perf_counter()
            each()
            spent[run].append((time.process_time() - cpu, time.perf_counter() - clock))
    found = {}
    for run, codec, each in zip(runs, codecs, work, strict=True):
        cpus, clocks = (np.array(spent[run]) / SECONDS).T.tolist()
        found[run] = {
            **_known(codec),
            "rtf": statistics.median(cpus),
            "rtf_low": min(cpus),
            "rtf_high": max(cpus),
            "rtf_clock": statistics.median(clocks),
            "rounds": ROUNDS,
            "peak_mib": peak_mib(each),
            "threads": threads,
        }
        log(f"{run}: {found[run]['rtf']:.4f} s of CPU per second of audio")
    return found


def _work(codec: Codec, noise: Tensor) -> Tensor:
    return codec.decode(codec.encode(noise.clone()))  # the memory of its input counts


def _known(codec: Codec) -> dict[str, Any]:
    """Return what follows from the config, and what a stream of noise takes where there is one."""
    costs = profile(codec.config)
    state = costs.state_bytes
    live: dict[str, Any] = {}
    if state is not None:
        stream = PcmStream(codec)
        sound = np.random.default_rng(0).normal(0, 3000, STREAMED * codec.hop).astype("<i2")
        stream.run(io.BytesIO(sound.tobytes()), io.BytesIO())
        live = stream.report()
    return {
        "parameters": costs.parameters,
        "flops_per_second": costs.flops_per_second,
        "receptive_field_ms": milliseconds(costs.receptive_field),
        "look_ahead_ms": milliseconds(costs.look_ahead),
        "latency_ms": milliseconds(costs.latency),
        "state_kib": state / 1024 if state is not None else None,
        "chunk_ms_median": live.get("frame_ms_median"),
        "chunk_ms_p99": live.get("frame_ms_p99"),
        "note": "" if state is not None else "does not stream: it looks ahead",
    }
