"""Codecs of a few thousand weights, untrained."""

from __future__ import annotations

from dataclasses import replace

import torch

from taae.codec.codec import Codec
from taae.codec.config import Attention, Bottleneck, CodecConfig, Model

MODEL = Model(
    patch=16,
    layers=[1, 1],
    strides=[2],
    width=16,
    head_dim=8,
    ff_mult=2,
    norm_eps=1e-2,
    layer_scale=0.5,
)
BOTTLENECK = Bottleneck(3, 5, "symmetric", "hybrid")


def codec(
    window: int = 8,
    causal: bool = False,
    bottleneck: Bottleneck = BOTTLENECK,
    seed: int = 0,
    **changes: object,
) -> Codec:
    """Return the same codec for the same arguments, in evaluation.

    `changes` are of `MODEL`; other strides have a layer per rate unless `layers` say otherwise.
    """
    if "strides" in changes:
        changes.setdefault("layers", [1] * (len(changes["strides"]) + 1))  # type: ignore[arg-type]
    model = replace(MODEL, **changes)  # type: ignore[arg-type]
    torch.manual_seed(seed)
    return Codec(CodecConfig(model, Attention(window, causal), bottleneck)).eval()
