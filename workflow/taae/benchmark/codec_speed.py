"""The codec's speed: its window against full attention, over lengths of audio, and in a stream."""

from __future__ import annotations

import io
from functools import partial
from itertools import product

import numpy as np
import torch
from torch import Tensor

from taae.benchmark.shared import Device, hardware, medians, precisions, report
from taae.codec.codec import Codec
from taae.codec.complexity import milliseconds
from taae.codec.config import Attention, Bottleneck, CodecConfig, Model
from taae.codec.layers import WAVE_RMS
from taae.codec.pcm_stream import PcmStream
from taae.utils.precision import autocast
from taae.utils.sample_rate import SAMPLE_RATE

MODEL = Model(layer_scale=1e-2)  # 18.5 million parameters; the layers are the paper's
WINDOW, CAUSAL = Attention(128, False), Attention(64, True)
FULL = Attention(2**31, False)  # more keys than there can be
SHORT, MIDDLE, LONG = 20, 180, 600  # seconds of audio
SECONDS = 90.0  # that all of it takes, about
FRAMES = 500  # of a stream


def untrained(attention: Attention) -> Codec:
    """Return a codec; its weights do not depend on `attention`."""
    torch.manual_seed(0)
    return Codec(CodecConfig(MODEL, attention, Bottleneck())).eval()


def codec(*, device: Device | None = None) -> None:
    """Time a codec with its window against full attention, over lengths of audio.

    Args:
        device: by itself the GPU where there is one.
    """
    with hardware(device) as here:
        arms = {"window": untrained(WINDOW).to(here), "full": untrained(FULL).to(here)}
        noise = WAVE_RMS * torch.randn(1, LONG * SAMPLE_RATE, device=here)
        runs = ("full", MIDDLE), ("window", MIDDLE), ("window", SHORT), ("window", LONG)
        works = {
            (arm, length, precision): partial(
                _through, arms[arm], noise[:, : length * SAMPLE_RATE], precision
            )
            for (arm, length), precision in product(runs, precisions(here))
        }
        spent = medians(works, SECONDS)
        for (arm, length, precision), each in spent.items():
            speed = f"{each:8.3f} s, {length / each:6.1f} x real time"
            print(f"{length:4} s of audio, {arm:6} {precision:8} {speed}")
        figures = {}
        for precision in precisions(here):
            speedup = spent["full", MIDDLE, "float32"] / spent["window", MIDDLE, precision]
            slow, fast = (spent["window", each, precision] / each for each in (LONG, SHORT))
            figures[f"speedup_{MIDDLE}s_{precision}"] = round(speedup, 3)
            figures[f"rtf_{LONG}s_over_{SHORT}s_{precision}"] = round(slow / fast, 3)
        report(here, figures)


def _through(codec: Codec, wave: Tensor, precision: str) -> Tensor:
    with autocast(precision, wave.device.type):
        return codec.decode(codec.encode(wave))


def stream() -> None:
    """Time the frames of a streaming codec on one thread."""
    torch.set_num_threads(1)
    codec = untrained(CAUSAL)
    live = PcmStream(codec)
    noise = np.random.default_rng(0).normal(0, 3000, FRAMES * codec.hop).clip(-32768, 32767)
    live.run(io.BytesIO(noise.astype("<i2").tobytes()), io.BytesIO())
    report("cpu", {**live.report(), "frame_audio_ms": milliseconds(codec.hop)})
