"""Sliding-window attention against full attention and against a dense mask, over lengths.

FlexAttention and flash-attn stand beside them where they run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from taae.benchmark.timing import DTYPES, Work, device_name, medians, pick_device, report
from taae.codec.attention import choose, sliding_window_attention
from taae.codec.attention_window import window_sides
from taae.utils.memory import peak_mib

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]

HEADS, HEAD_DIM, WINDOW = 4, 64, 128
LENGTHS = (256, 1024, 4096, 16384, 65536)
QUADRATIC = 16384  # the longest that full attention and a dense mask are given
Row = tuple[str, str, int]  # dtype, forward or backward, tokens


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


def flash(q: Tensor, k: Tensor, v: Tensor, left: int, right: int) -> Tensor:
    """Sliding-window attention of the package flash-attn: CUDA, half precision."""
    kernel = importlib.import_module("flash_attn").flash_attn_func
    q, k, v = (each.transpose(1, 2) for each in (q, k, v))
    out: Tensor = kernel(q, k, v, window_size=(left, right)).transpose(1, 2)
    return out


def attention(
    quick: bool = False, seconds: float = 2.0, device: str | None = None
) -> dict[str, Any]:
    """Measure, print a table and then one JSON line of figures; return these.

    Ours is the backend that `taae.codec.attention` chooses for the pass; the other one, full
    attention, a dense mask and flash-attn are what it is compared with. Memory is the most that is
    held at once beyond the inputs; that of the backward pass has its forward pass in it.

    Args:
        quick: up to 4096 tokens alone, and on a CPU no FlexAttention, which compiles for each
            length; the figures are then of the longest.
        seconds: about how long each row of the table takes.
        device: cpu or cuda; by itself the GPU where there is one.
    """
    device = pick_device(device)
    lengths = [length for length in LENGTHS if length <= 4096] if quick else list(LENGTHS)
    longest = min(max(lengths), QUADRATIC)
    ours = {passing: _chosen(device, passing) for passing in ("forward", "backward")}
    times: dict[Row, dict[str, float]] = {}
    peaks: dict[Row, dict[str, float]] = {}
    absent: dict[tuple[str, str, str], str] = {}
    if quick and device == "cpu":
        absent = {("flex", name, each): "--quick" for name in DTYPES for each in ours}
    print(f"{HEADS} heads x {HEAD_DIM}, window {WINDOW}, {device_name(device)}; ms, peak MiB")
    for name in DTYPES:
        for passing in ours:
            for length in lengths:
                row = name, passing, length
                works = _works(row, device, ours[passing], absent)
                times[row] = medians(works, seconds)
                peaks[row] = {arm: _peak(work, device) for arm, work in works.items()}
                shown = "  ".join(
                    f"{arm} {1000 * spent:9.2f} {peaks[row][arm]:7.1f}"
                    for arm, spent in times[row].items()
                )
                print(f"{name:8} {passing:8} {length:6}  {shown}", flush=True)
    for (arm, name, passing), reason in absent.items():
        print(f"{arm}: no {name} {passing} pass: {reason}")

    def speedup(name: str, passing: str, arm: str = "full") -> float:
        found = times[name, passing, longest]
        return round(found[arm] / found[ours[passing]], 2)

    def scaling(found: dict[Row, dict[str, float]], passing: str) -> float:
        long, short = (found["float32", passing, n][ours[passing]] for n in (longest, longest // 4))
        return round(long / short, 2)

    over = f"{longest}_over_{longest // 4}"
    figures: dict[str, Any] = {
        "tokens": longest,
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "backend": ours,
        "forward_speedup": speedup("float32", "forward"),
        "backward_speedup": speedup("float32", "backward"),
        "forward_speedup_bfloat16": speedup("bfloat16", "forward"),
        "backward_speedup_bfloat16": speedup("bfloat16", "backward"),
        f"scaling_{over}": scaling(times, "forward"),
        f"backward_scaling_{over}": scaling(times, "backward"),
        f"memory_scaling_{over}": scaling(peaks, "forward"),
        f"backward_memory_scaling_{over}": scaling(peaks, "backward"),
    }
    for name, passing, length in times:
        if length == longest:
            for arm in times[name, passing, length].keys() - {ours[passing], "full"}:
                suffix = "" if name == "float32" else f"_{name}"
                figures[f"{passing}_speedup_over_{arm}{suffix}"] = speedup(name, passing, arm)
    return report(figures)


def _chosen(device: str, passing: str) -> str:
    with torch.set_grad_enabled(passing == "backward"):
        return choose(torch.empty(1, 1, 1, HEAD_DIM, device=device))


def _works(
    row: Row, device: str, ours: str, absent: dict[tuple[str, str, str], str]
) -> dict[str, Work]:
    """Return the arms of a row; one that does not run here is noted in `absent`, with its reason.

    Ours must run.
    """
    name, passing, length = row
    left, right = window_sides(WINDOW, causal=False)
    torch.manual_seed(length)
    shape = (1, HEADS, length, HEAD_DIM)
    qkv = [torch.randn(shape, device=device, dtype=DTYPES[name]) for _ in range(3)]
    window = partial(sliding_window_attention, left=left, right=right)
    arms: dict[str, Attention] = {
        "blocked": partial(window, backend="blocked"),
        "flex": partial(window, backend="flex"),
        "flash-attn": partial(flash, left=left, right=right),
    }
    if length <= QUADRATIC:
        arms["full"] = full
        arms["dense"] = partial(dense, mask=window_mask(length, left, right, device))
    make = _forward if passing == "forward" else _backward
    works: dict[str, Work] = {}
    for arm in sorted(arms, key=lambda arm: arm != ours):
        if (arm, name, passing) in absent:
            continue
        work = partial(make, arms[arm], qkv)
        try:
            work()()
        except Exception as error:  # whatever another's package or compiler does not bring along
            if arm not in ("flex", "flash-attn") or arm == ours:
                raise
            absent[arm, name, passing] = str(error).partition("\n")[0]
        else:
            works[arm] = work
    return works


def _peak(work: Work, device: str) -> float:
    return peak_mib(lambda: work()(), device)


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
