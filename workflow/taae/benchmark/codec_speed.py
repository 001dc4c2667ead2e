"""The codec's speed, with its window against full attention, and over lengths of audio.

Besides its speed, what bfloat16 changes: the codes, and the scores of the decoded speech.
"""

from __future__ import annotations

import copy
import math
import statistics
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taae.benchmark.speech import speech_split
from taae.benchmark.timing import DTYPES, device_name, medians, pick_device, ready, report
from taae.codec.codec import Codec, load_codec
from taae.codec.config import Attention, Bottleneck, CodecConfig, Model
from taae.codec.layers import WAVE_RMS
from taae.codec.taae import SelfAttention
from taae.corpus.store import Split
from taae.evaluation.scoring.pesq_stoi import stoi
from taae.evaluation.scoring.signal_metrics import si_sdr
from taae.utils.sample_rate import SAMPLE_RATE

# The default shape: 18.5 million parameters, the layers those of the paper's codec.
MODEL, BOTTLENECK = Model(layer_scale=1e-2), Bottleneck()
SHORT, MIDDLE, LONG = 20, 180, 600  # seconds of audio


def untrained(attention: Attention) -> Codec:
    """Return a codec of the size of the targets."""
    torch.manual_seed(0)
    return Codec(CodecConfig(MODEL, attention, BOTTLENECK)).eval()


def unlimited(codec: Codec) -> Codec:
    """Return a copy of a codec in which every query sees every key."""
    other = copy.deepcopy(codec)
    for module in other.modules():
        if isinstance(module, SelfAttention):
            module.left = module.right = 2**31
    return other


def codec(
    model: Path | None = None,
    corpus: Path | None = None,
    quick: bool = False,
    seconds: float = 30.0,
    device: str | None = None,
) -> dict[str, Any]:
    """Measure, print a table and then one JSON line of figures; return these.

    Args:
        model: folder of a trained codec; without one, an untrained codec of 18 million parameters,
            whose scores tell little.
        corpus: folder whose test split gives codes and scores; without one, built-in speech.
        quick: a tenth of every length.
        seconds: about how long each comparison takes.
        device: cpu or cuda; by itself the GPU where there is one.
    """
    device = pick_device(device)
    ours = load_codec(model) if model else untrained(Attention(128, False))
    ours = ours.to(device)
    full = unlimited(ours)
    short, middle, long = (length / (10 if quick else 1) for length in (SHORT, MIDDLE, LONG))
    wave = _noise(middle, ours)
    works = {
        f"{name} {precision}": ready(partial(_through, arm, wave, dtype))
        for name, arm in {"window": ours, "full": full}.items()
        for precision, dtype in DTYPES.items()
    }
    spent = medians(works, seconds)
    rates = {}
    for dtype in DTYPES.values():
        lengths = {
            name: ready(partial(_through, ours, _noise(length, ours), dtype))
            for name, length in {"short": short, "long": long}.items()
        }
        found = medians(lengths, seconds)
        rates[dtype] = found["short"] / short, found["long"] / long
    for name, each in spent.items():
        print(f"{middle:g} s of audio, {name:16} {each:8.3f} s, {middle / each:6.1f} x real time")
    for dtype, (fast, slow) in rates.items():
        print(f"real-time factor, {dtype}: {short:g} s {fast:.5f}, {long:g} s {slow:.5f}")
    figures = {
        "seconds": middle,
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        f"speedup_{middle:g}s": _ratio(spent["full float32"], spent["window float32"]),
        f"speedup_{middle:g}s_bfloat16": _ratio(spent["full float32"], spent["window bfloat16"]),
        f"rtf_{long:g}s_over_{short:g}s": _ratio(*rates[torch.float32][::-1]),
        f"rtf_{long:g}s_over_{short:g}s_bfloat16": _ratio(*rates[torch.bfloat16][::-1]),
        "trained": model is not None,
    }
    with speech_split(corpus) as speech:
        figures |= _change(ours, speech)
    return report(figures)


def _change(codec: Codec, speech: Split) -> dict[str, float]:
    """Return what bfloat16 changes: share of codes, and means of scores in both precisions.

    `bfloat16_snr_db` compares the decoder alone: the same codes, decoded in both precisions.
    """
    device = next(codec.parameters()).device
    changed = codes = 0
    energy = noise = 0.0
    scores: defaultdict[str, list[float]] = defaultdict(list)
    for index in range(len(speech.utterances)):
        clean = speech.audio(index)
        wave = torch.from_numpy(clean)[None].to(device)
        exact, rough = _codes(codec, wave), _codes(codec, wave, torch.bfloat16)
        changed, codes = changed + int((rough != exact).sum()), codes + exact.numel()
        decoded = {
            "float32": _decoded(codec, exact),
            "bfloat16": _decoded(codec, rough, torch.bfloat16),
        }
        error = _decoded(codec, exact, torch.bfloat16) - decoded["float32"]
        energy += float(decoded["float32"].square().sum())
        noise += float(error.square().sum())
        for name, audio in decoded.items():
            heard = audio[0, : len(clean)].cpu().double().numpy()
            reference = clean.astype(np.float64)
            scores[f"si_sdr_{name}"].append(si_sdr(reference, heard))
            scores[f"stoi_{name}"].append(stoi(reference, heard, extended=False))
    return {
        "bfloat16_codes_changed": round(changed / codes, 5),
        "bfloat16_snr_db": round(10 * math.log10(energy / noise), 2),
        **{name: round(statistics.fmean(values), 4) for name, values in scores.items()},
    }


def _codes(codec: Codec, wave: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    with _autocast(wave, dtype):
        return codec.encode(wave)


def _decoded(codec: Codec, codes: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    with _autocast(codes, dtype):
        return codec.decode(codes).float()


def _through(codec: Codec, wave: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    return _decoded(codec, _codes(codec, wave, dtype), dtype)


def _autocast(like: Tensor, dtype: torch.dtype) -> torch.autocast:
    return torch.autocast(like.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)


def _noise(seconds: float, codec: Codec) -> Tensor:
    device = next(codec.parameters()).device
    torch.manual_seed(1)
    return WAVE_RMS * torch.randn(1, round(seconds * SAMPLE_RATE), device=device)


def _ratio(one: float, other: float) -> float:
    return round(one / other, 3)
