"""Sliding-window attention against full attention and against a dense mask, over lengths."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from taae.attention import sliding_window_attention
from taae.bench.timing import Work, medians
from taae.coverage import window_sides

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]

HEADS, HEAD_DIM, WINDOW = 4, 64, 128
LENGTHS = (256, 1024, 4096, 16384, 65536)
QUADRATIC = 16384  # the longest that full attention and a dense mask are given
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def full(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention without a window: what a codec computes when its window is dropped."""
    return F.scaled_dot_product_attention(q, k, v)


def dense(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Full attention and a mask (time, time) of what the window lets through."""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def window_mask(time: int, left: int, right: int, device: torch.device | str = "cpu") -> Tensor:
    """Return True where query i may see key j: (time, time)."""
    offset = torch.arange(time, device=device)[None] - torch.arange(time, device=device)[:, None]
    return (offset >= -left) & (offset <= right)


def attention(quick: bool = False, seconds: float = 2.0) -> dict[str, Any]:
    """Measure, print a table and then one JSON line of figures; return these.

    Args:
        quick: up to 4096 tokens alone; the figures are then of that length.
        seconds: about how long each row of the table takes.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    lengths = [length for length in LENGTHS if length <= 4096] if quick else list(LENGTHS)
    longest = min(max(lengths), QUADRATIC)
    found: dict[tuple[str, str, int], dict[str, float]] = {}
    print(f"milliseconds; {HEADS} heads x {HEAD_DIM}, window {WINDOW}, {device}")
    for name, dtype in DTYPES.items():
        for length in lengths:
            for passing in ("forward", "backward"):
                row = medians(_works(length, dtype, device, passing), seconds)
                found[name, passing, length] = row
                shown = "  ".join(f"{arm} {1000 * spent:9.2f}" for arm, spent in row.items())
                print(f"{name:8} {passing:8} {length:6}  {shown}", flush=True)

    def speedup(name: str, passing: str) -> float:
        row = found[name, passing, longest]
        return round(row["full"] / row["window"], 2)

    def scaling(passing: str) -> float:
        long, short = (found["float32", passing, n]["window"] for n in (longest, longest // 4))
        return round(long / short, 2)

    figures = {
        "tokens": longest,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "forward_speedup": speedup("float32", "forward"),
        "backward_speedup": speedup("float32", "backward"),
        "forward_speedup_bfloat16": speedup("bfloat16", "forward"),
        "backward_speedup_bfloat16": speedup("bfloat16", "backward"),
        f"scaling_{longest}_over_{longest // 4}": scaling("forward"),
        f"backward_scaling_{longest}_over_{longest // 4}": scaling("backward"),
    }
    print(json.dumps(figures))
    return figures


def _works(length: int, dtype: torch.dtype, device: str, passing: str) -> dict[str, Work]:
    left, right = window_sides(WINDOW, causal=False)
    torch.manual_seed(length)
    shape = (1, HEADS, length, HEAD_DIM)
    qkv = [torch.randn(shape, device=device, dtype=dtype) for _ in range(3)]
    arms: dict[str, Attention] = {
        "window": partial(sliding_window_attention, left=left, right=right)
    }
    if length <= QUADRATIC:
        arms["full"] = full
        arms["dense"] = partial(dense, mask=window_mask(length, left, right, device))
    make = _forward if passing == "forward" else _backward
    return {name: partial(make, arm, qkv) for name, arm in arms.items()}


def _forward(arm: Attention, qkv: list[Tensor]) -> Callable[[], object]:
    def work() -> object:
        with torch.no_grad():
            return arm(*qkv)

    return work


def _backward(arm: Attention, qkv: list[Tensor]) -> Callable[[], object]:
    leaves = [each.detach().requires_grad_() for each in qkv]
    out = arm(*leaves)
    upstream = torch.ones_like(out)
    return lambda: torch.autograd.grad(out, leaves, upstream)
