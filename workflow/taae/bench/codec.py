"""The codec with its window against the same codec with full attention, and over lengths."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from taae.bench.timing import medians
from taae.codec import TAAE, WAVE_RMS, CodecConfig, SelfAttention
from taae.study import SAMPLE_RATE, Attention, Bottleneck, Model

# 18.5 million parameters, of the shape of the paper's codec.
MODEL = Model(
    patch=320,
    layers=[4, 4],
    strides=[2],
    width=256,
    head_dim=64,
    ff_mult=4,
    norm_eps=1e-2,
    layer_scale=1e-2,
)
BOTTLENECK = Bottleneck(6, 17, "symmetric", "hybrid")
SHORT, MIDDLE, LONG = 20, 180, 600  # seconds of audio


def untrained(attention: Attention) -> TAAE:
    """Return a codec of the size of the targets, on the GPU where there is one."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return TAAE(CodecConfig(MODEL, attention, BOTTLENECK)).eval().to(device)


def unlimited(codec: TAAE) -> TAAE:
    """Return a copy of a codec in which every query sees every key."""
    other = copy.deepcopy(codec)
    for module in other.modules():
        if isinstance(module, SelfAttention):
            module.left = module.right = 2**31
    return other


def codec(model: Path | None = None, quick: bool = False, seconds: float = 30.0) -> dict[str, Any]:
    """Measure, print a table and then one JSON line of figures; return these.

    Args:
        model: folder of a trained codec, whose tokens tell what bfloat16 changes; times, too,
            are of it. Without one, an untrained codec of 18 million parameters.
        quick: a tenth of every length.
        seconds: about how long each comparison takes.
    """
    ours = TAAE.from_pretrained(model) if model else untrained(Attention(128, False))
    full = unlimited(ours)
    short, middle, long = (length / (10 if quick else 1) for length in (SHORT, MIDDLE, LONG))
    wave = _noise(middle, ours)
    arms: dict[str, Callable[[], object]] = {
        "window float32": partial(_through, ours, wave),
        "window bfloat16": partial(_through, ours, wave, torch.bfloat16),
        "full float32": partial(_through, full, wave),
        "full bfloat16": partial(_through, full, wave, torch.bfloat16),
    }
    spent = medians(_prepared(arms), seconds)
    rates = {}
    for dtype in (torch.float32, torch.bfloat16):
        waves = {"short": _noise(short, ours), "long": _noise(long, ours)}
        lengths = {name: partial(_through, ours, wave, dtype) for name, wave in waves.items()}
        found = medians(_prepared(lengths), seconds)
        rates[dtype] = found["short"] / short, found["long"] / long
    for name, each in spent.items():
        print(f"{middle:g} s of audio, {name:16} {each:8.3f} s, {middle / each:6.1f} x real time")
    for dtype, (fast, slow) in rates.items():
        print(f"real-time factor, {dtype}: {short:g} s {fast:.5f}, {long:g} s {slow:.5f}")
    figures = {
        "seconds": middle,
        "device": wave.device.type,
        "threads": torch.get_num_threads(),
        f"speedup_{middle:g}s": _ratio(spent["full float32"], spent["window float32"]),
        f"speedup_{middle:g}s_bfloat16": _ratio(spent["full float32"], spent["window bfloat16"]),
        f"rtf_{long:g}s_over_{short:g}s": _ratio(*rates[torch.float32][::-1]),
        f"rtf_{long:g}s_over_{short:g}s_bfloat16": _ratio(*rates[torch.bfloat16][::-1]),
        **_change(ours, _noise(short, ours)),
    }
    print(json.dumps(figures))
    return figures


def _change(codec: TAAE, wave: Tensor) -> dict[str, float]:
    """Return the share of codes that bfloat16 changes, and its noise in decoding (dB)."""
    with _autocast(wave, torch.bfloat16):
        rough = codec.encode(wave)
    codes = codec.encode(wave)
    exact = codec.decode(codes)
    with _autocast(wave, torch.bfloat16):
        error = codec.decode(codes).float() - exact
    ratio = exact.square().sum() / error.square().sum()
    return {
        "bfloat16_codes_changed": round(float((rough != codes).float().mean()), 5),
        "bfloat16_snr_db": round(10 * float(ratio.log10()), 2),
    }


@torch.inference_mode()
def _through(codec: TAAE, wave: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    with _autocast(wave, dtype):
        return codec.decode(codec.encode(wave))


def _autocast(wave: Tensor, dtype: torch.dtype) -> torch.autocast:
    return torch.autocast(wave.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)


def _noise(seconds: float, codec: TAAE) -> Tensor:
    device = next(codec.parameters()).device
    torch.manual_seed(1)
    return WAVE_RMS * torch.randn(1, round(seconds * SAMPLE_RATE), device=device)


def _prepared(
    arms: Mapping[str, Callable[[], object]],
) -> dict[str, Callable[[], Callable[[], object]]]:
    return {name: partial(_itself, arm) for name, arm in arms.items()}


def _itself(arm: Callable[[], object]) -> Callable[[], object]:
    return arm


def _ratio(one: float, other: float) -> float:
    return round(one / other, 3)
