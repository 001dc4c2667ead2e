"""The transformer autoencoder of stable-audio-tools, written down again from its equations.

An oracle: plain functions on tensors under that software's names, in its layout (batch, features,
time), float64, weight normalisation and all; attention is dense, under a mask. It shares nothing
with `taae.codec.taae`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Tensors = dict[str, Tensor]


def config(
    channels: int = 16,
    depths: tuple[int, ...] = (1, 2),
    strides: tuple[int, ...] = (1, 2),
    window: tuple[int, int] = (3, 4),
    patch: int = 8,
    dimensions: int = 3,
    levels: int = 5,
) -> dict[str, Any]:
    """Return a model_config.json, with keys of training as real ones have them."""
    stack = {
        "channels": channels,
        "c_mults": [1] * len(depths),
        "strides": list(strides),
        "latent_dim": dimensions,
        "transformer_depths": list(depths),
        "sliding_window": list(window),
        "checkpointing": True,
    }
    hop = patch
    for stride in strides:
        hop *= stride
    return {
        "model_type": "autoencoder",
        "sample_size": 64000,
        "sample_rate": 16000,
        "audio_channels": 1,
        "model": {
            "pretransform": {"type": "patched", "config": {"channels": 1, "patch_size": patch}},
            "encoder": {"type": "taae", "config": {"in_channels": patch, **stack}},
            "decoder": {"type": "taae", "config": {"out_channels": patch, **stack}},
            "bottleneck": {
                "type": "dithered_fsq",
                "config": {"dim": dimensions, "levels": levels, "noise_dropout": 0.5},
            },
            "latent_dim": dimensions,
            "downsampling_ratio": hop,
            "io_channels": 1,
        },
        "training": {"learning_rate": 1.5e-4, "use_ema": True},
    }


def tensors(config: dict[str, Any], seed: int = 0) -> Tensors:
    """Return random float32 tensors of such a model, none of them at a value that does nothing."""
    generator = torch.Generator().manual_seed(seed)
    encoder = config["model"]["encoder"]["config"]
    patch, width, last = encoder["in_channels"], encoder["channels"], len(encoder["strides"]) + 2
    head = min(128, width)
    found: Tensors = {}

    def draw(*shape: int, std: float, mean: float = 0.0) -> Tensor:
        return mean + std * torch.randn(*shape, generator=generator)

    def convolution(name: str, *shape: int, bias: int = 0) -> None:
        """Of unit gain, in the form of a length g and a direction v of any length."""
        v = draw(*shape, std=1.0)
        norm = v.square().sum(dim=(1, 2), keepdim=True).sqrt()
        found[f"{name}.weight_v"] = v
        found[f"{name}.weight_g"] = norm * (shape[1] * shape[2]) ** -0.5 * draw(1, std=0.1, mean=2)
        if bias:
            found[f"{name}.bias"] = draw(bias, std=0.2)

    def layer(name: str) -> None:
        for norm in ("pre_norm", "ff_norm"):
            found[f"{name}.{norm}.gamma"] = draw(width, std=0.3, mean=1.0)
            found[f"{name}.{norm}.beta"] = torch.zeros(width)
        found[f"{name}.self_attn.to_qkv.weight"] = draw(3 * width, width, std=width**-0.5)
        found[f"{name}.self_attn.to_out.weight"] = draw(width, width, std=width**-0.5)
        for norm in ("q_norm", "k_norm"):
            found[f"{name}.self_attn.{norm}.weight"] = draw(head, std=0.3, mean=1.0)
            found[f"{name}.self_attn.{norm}.bias"] = draw(head, std=0.3)
        found[f"{name}.ff.ff.0.proj.weight"] = draw(8 * width, width, std=width**-0.5)
        found[f"{name}.ff.ff.0.proj.bias"] = draw(8 * width, std=0.3)
        found[f"{name}.ff.ff.2.weight"] = draw(width, 4 * width, std=(4 * width) ** -0.5)
        found[f"{name}.ff.ff.2.bias"] = draw(width, std=0.3)
        for scale in ("self_attn_scale", "ff_scale"):
            found[f"{name}.{scale}.scale"] = draw(width, std=0.1, mean=0.5)
        found[f"{name}.rope.inv_freq"] = 1e4 ** -(torch.arange(0, head // 2, 2) / (head // 2))

    convolution("encoder.layers.0", width, patch, 7, bias=width)
    convolution("decoder.layers.0", width, encoder["latent_dim"], 3, bias=width)
    blocks = list(zip(encoder["strides"], encoder["transformer_depths"], strict=True))
    for number, (stride, depth) in enumerate(blocks, start=1):
        if stride > 1:
            name = f"encoder.layers.{number}.layers.1"
            convolution(name, width, width, 2 * stride, bias=width)
        for place in range(1, depth + 1):
            layer(f"encoder.layers.{number}.layers.2.{place}")
    for number, (stride, depth) in enumerate(reversed(blocks), start=1):
        for place in range(1, depth + 1):
            layer(f"decoder.layers.{number}.layers.0.{place}")
        if stride > 1:
            name = f"decoder.layers.{number}.layers.2"
            convolution(name, width, width, 2 * stride, bias=width)
    dimensions = encoder["latent_dim"]
    convolution(f"encoder.layers.{last}", dimensions, width, 3, bias=dimensions)
    convolution(f"decoder.layers.{last}", patch, width, 7)
    return found


def encode(wave: Tensor, found: Tensors, config: dict[str, Any]) -> Tensor:
    """Return the latents (batch, dimensions, frames) of (batch, samples) of whole hops."""
    encoder = config["model"]["encoder"]["config"]
    x = wave.unflatten(1, (-1, encoder["in_channels"])).transpose(1, 2)
    x = F.conv1d(x, _weight(found, "encoder.layers.0"), _bias(found, "encoder.layers.0"), padding=3)
    for number, stride in enumerate(encoder["strides"], start=1):
        if stride > 1:
            name = f"encoder.layers.{number}.layers.1"
            weight, bias = _weight(found, name), _bias(found, name)
            x = F.conv1d(x, weight, bias, stride=stride, padding=-(-stride // 2))
        x = _stack(x, found, f"encoder.layers.{number}.layers.2", encoder["sliding_window"])
    name = f"encoder.layers.{len(encoder['strides']) + 2}"
    return F.conv1d(x, _weight(found, name), _bias(found, name), padding=1)


def quantise(latents: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Return the levels nearest to tanh of the latents, and the token of each frame."""
    step = 2 / (levels - 1)
    numbers = ((latents.tanh() + 1) / step).round()
    tokens = torch.zeros(latents.shape[0], latents.shape[2], dtype=torch.int64)
    for place in range(latents.shape[1]):
        tokens += numbers[:, place].long() * levels**place
    return numbers * step - 1, tokens


def decode(quantised: Tensor, found: Tensors, config: dict[str, Any]) -> Tensor:
    """Return the waveform (batch, samples) of quantised latents (batch, dimensions, frames)."""
    decoder = config["model"]["decoder"]["config"]
    weight, bias = _weight(found, "decoder.layers.0"), _bias(found, "decoder.layers.0")
    x = F.conv1d(quantised, weight, bias, padding=1)
    for number, stride in enumerate(reversed(decoder["strides"]), start=1):
        x = _stack(x, found, f"decoder.layers.{number}.layers.0", decoder["sliding_window"])
        if stride > 1:
            name = f"decoder.layers.{number}.layers.2"
            weight, bias = _weight(found, name), _bias(found, name)
            x = F.conv_transpose1d(x, weight, bias, stride=stride, padding=-(-stride // 2))
    name = f"decoder.layers.{len(decoder['strides']) + 2}"
    return F.conv1d(x, _weight(found, name), padding=3).transpose(1, 2).flatten(1)


def _weight(found: Tensors, name: str) -> Tensor:
    g, v = (found[f"{name}.weight_{part}"].double() for part in "gv")
    return g * v / v.square().sum(dim=(1, 2), keepdim=True).sqrt()


def _bias(found: Tensors, name: str) -> Tensor:
    return found[f"{name}.bias"].double()


def _stack(x: Tensor, found: Tensors, name: str, window: list[int]) -> Tensor:
    x = x.transpose(1, 2)
    place = 1
    while f"{name}.{place}.pre_norm.gamma" in found:
        prefix = f"{name}.{place}."
        mine = {k.removeprefix(prefix): v.double() for k, v in found.items() if prefix in k}
        x = x + mine["self_attn_scale.scale"] * _attention(
            _norm(x, mine["pre_norm.gamma"], mine["pre_norm.beta"], 1e-2), mine, window
        )
        up = _norm(x, mine["ff_norm.gamma"], mine["ff_norm.beta"], 1e-2)
        up = up @ mine["ff.ff.0.proj.weight"].T + mine["ff.ff.0.proj.bias"]
        inner = up.shape[-1] // 2
        gated = up[..., :inner] * up[..., inner:] * up[..., inner:].sigmoid()
        down = gated @ mine["ff.ff.2.weight"].T + mine["ff.ff.2.bias"]
        x = x + mine["ff_scale.scale"] * down
        place += 1
    return x.transpose(1, 2)


def _norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() * gamma + beta


def _attention(x: Tensor, mine: Tensors, window: list[int]) -> Tensor:
    time, width = x.shape[1:]
    size = min(128, width)
    q, k, v = (x @ part.T for part in mine["self_attn.to_qkv.weight"].split(width))
    position = torch.arange(time)
    offset = position[None, :] - position[:, None]
    hidden = (offset < -window[0]) | (offset > window[1])
    heads = []
    for start in range(0, width, size):
        one = slice(start, start + size)
        turned = [
            _turn(
                _norm(
                    each[..., one],
                    mine[f"self_attn.{name}_norm.weight"],
                    mine[f"self_attn.{name}_norm.bias"],
                    1e-6,
                ),
                mine["rope.inv_freq"],
            )
            for each, name in ((q, "q"), (k, "k"))
        ]
        scores = (turned[0] @ turned[1].transpose(1, 2) / size**0.5).masked_fill(hidden, -torch.inf)
        heads.append(scores.softmax(-1) @ v[..., one])
    return torch.cat(heads, -1) @ mine["self_attn.to_out.weight"].T


def _turn(x: Tensor, frequencies: Tensor) -> Tensor:
    """Rotary positions as complex numbers: feature i with i + n, for n frequencies."""
    n = len(frequencies)
    pairs = torch.complex(x[..., :n].contiguous(), x[..., n : 2 * n].contiguous())
    angles = torch.arange(x.shape[1])[:, None] * frequencies
    pairs = pairs * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([pairs.real, pairs.imag, x[..., 2 * n :]], -1)
