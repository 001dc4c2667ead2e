"""Sliding-window attention against full attention, and its backends against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._triton import has_triton

from taae.benchmark.shared import Device, hardware, medians, precisions, report
from taae.codec.attention import choose, sliding_window_attention
from taae.codec.attention_window import window_sides
from taae.utils.memory import peak_mib

HEADS, HEAD_DIM, WINDOW = 4, 64, 128
LENGTHS = (256, 1024, 4096, 16384, 65536)
QUADRATIC = 16384  # the longest that full attention is given
SECONDS = 2.0  # that each row of the table takes, about


def attention(*, quick: bool = False, device: Device | None = None) -> None:
    """Time sliding-window against full attention, over lengths.

    `forward` is a pass without gradients, `backward` a pass forward and backward, as in training.
    Ours is the backend that `taae.codec.attention` chooses for it; the other one stands beside it
    where it runs. Memory is the most that is held at once beyond the inputs.

    Args:
        quick: up to 4096 tokens alone; the figures are then of these.
        device: by itself the GPU where there is one.
    """
    lengths = [length for length in LENGTHS if length <= 4096 or not quick]
    figures: dict[str, Any] = {"tokens": min(lengths[-1], QUADRATIC)}
    print(f"{HEADS} heads x {HEAD_DIM}, window {WINDOW}; ms, peak MiB")
    with hardware(device) as here:
        if here == "cpu":
            print("flex: not measured, since it cannot train on a CPU")
        for precision, passing in product(precisions(here), ("forward", "backward")):
            found = _measure(here, precision, passing, lengths)
            figures |= {f"{passing}_{name}_{precision}": value for name, value in found.items()}
        report(here, figures)


def _measure(device: str, precision: str, passing: str, lengths: Sequence[int]) -> dict[str, Any]:
    """Print a row for each length, and return the figures of the longest."""
    left, right = window_sides(WINDOW, causal=False)
    window = partial(sliding_window_attention, left=left, right=right)
    arms: dict[str, Callable[..., Tensor]] = {
        "ours": window,
        "full": F.scaled_dot_product_attention,
    }
    with torch.set_grad_enabled(passing == "backward"):
        backend = choose(torch.empty(1, 1, 1, HEAD_DIM, device=device))
    other = "flex" if backend == "blocked" else "blocked"
    if device == "cuda" and has_triton():
        arms[other] = partial(window, backend=other)
    found: dict[tuple[int, str], tuple[float, float]] = {}  # tokens, arm: s, MiB
    for length in lengths:
        shape = (3, 1, HEADS, length, HEAD_DIM)
        qkv = torch.randn(shape, device=device, dtype=getattr(torch, precision))
        works = {
            arm: partial(_run, attend, qkv, passing == "backward")
            for arm, attend in arms.items()
            if arm != "full" or length <= QUADRATIC
        }
        row = f"{precision:8} {passing:8} {length:6}"
        for arm, spent in medians(works, SECONDS).items():
            found[length, arm] = spent, peak_mib(works[arm], device)
            row += f"  {arm} {1000 * spent:9.2f} {found[length, arm][1]:7.1f}"
        print(row, flush=True)
    longest = min(length, QUADRATIC)
    figures: dict[str, Any] = {"backend": backend}
    for arm in arms.keys() - {"ours"}:
        ratio = found[longest, arm][0] / found[longest, "ours"][0]
        figures[f"speedup_over_{arm}"] = round(ratio, 2)
    for place, what in enumerate(("time", "memory")):
        ratio = found[longest, "ours"][place] / found[longest // 4, "ours"][place]
        figures[f"{what}_{longest}_over_{longest // 4}"] = round(ratio, 2)
    return figures


def _run(attend: Callable[..., Tensor], qkv: Tensor, backward: bool) -> None:
    with torch.set_grad_enabled(backward):
        leaves = [each.detach().requires_grad_(backward) for each in qkv]
        out = attend(*leaves)
        if backward:
            torch.autograd.grad(out, leaves, torch.ones_like(out))
