"""Sliding-window attention: exact on every device, at a cost linear in the length.

Two backends give the same result: `blocked`, made of dense products, runs anywhere; `flex` is
FlexAttention, compiled for each shape. Neither ever computes attention without the window. The
environment variable TAAE_ATTENTION chooses one; `auto` takes flex where it is faster, which is
training on CUDA, where shapes repeat and compiling pays. As results differ in rounding alone, the
choice does not belong to a study.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._triton import has_triton

from taae.utils.errors import TaaeError
from taae.utils.log import log

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

Backend = Literal["auto", "blocked", "flex"]
BLOCK = 64  # queries per block; smaller blocks cost more in bookkeeping than they save
SHORT = 1.5  # sequences over what a block of queries meets; so short ones are one block in training
FLEX_BLOCK = 128  # queries and keys per block of FlexAttention's mask

ENVIRONMENT = "TAAE_ATTENTION"
FLEX_SHAPES = 256  # that are compiled for at most; past torch's own 8 it would stop compiling
FLEX_HEAD_DIM = 16  # least features per head of FlexAttention on CUDA


def sliding_window_attention(
    q: Tensor, k: Tensor, v: Tensor, left: int, right: int, backend: Backend | None = None
) -> Tensor:
    """Softmax attention in which query i sees the keys i - left .. i + right that exist.

    Args:
        q, k, v: (batch, heads, time, dim), any floating dtype, any device.
        left: keys seen before the query; 0 or more. Wider than the sequence is allowed.
        right: keys seen after the query; 0 or more.
        backend: instead of what TAAE_ATTENTION says.

    Returns:
        (batch, heads, time, dim).
    """
    time = q.shape[2]
    if time == 0:
        return torch.empty_like(q)
    chosen = choose(q, backend)
    if not torch.compiler.is_compiling():  # printing would cut the graph in two
        _announce(chosen, q.device.type)
    left, right = min(left, time - 1), min(right, time - 1)
    if left == right == time - 1:  # every query sees every key
        return F.scaled_dot_product_attention(q, k, v)
    if chosen == "flex":
        mask = _block_mask(time, left, right, q.device)
        out: Tensor = _compiled_flex()(q, k, v, block_mask=mask)
        return out
    return _blocked(q, k, v, left, right)


def choose(q: Tensor, backend: Backend | None = None) -> Backend:
    """Return the backend for queries `q`: `backend`, else TAAE_ATTENTION, else auto."""
    wanted = backend or os.environ.get(ENVIRONMENT) or "auto"
    if wanted == "auto":
        on_cuda = q.device.type == "cuda" and has_triton()
        fits = q.shape[-1] >= FLEX_HEAD_DIM and q.dtype != torch.float64
        return "flex" if on_cuda and fits and torch.is_grad_enabled() else "blocked"
    if wanted == "flex" and q.device.type == "cpu" and q.requires_grad and torch.is_grad_enabled():
        raise TaaeError(f"{ENVIRONMENT}: flex cannot train on a CPU; unset it or say blocked")
    if wanted == "flex":
        return "flex"
    if wanted == "blocked":
        return "blocked"
    raise TaaeError(f"{ENVIRONMENT}: '{wanted}' is none of {', '.join(get_args(Backend))}")


@lru_cache
def _announce(backend: Backend, device: str) -> None:
    log(f"sliding-window attention on {device}: {backend}")


def _blocked(q: Tensor, k: Tensor, v: Tensor, left: int, right: int) -> Tensor:
    """Take queries in blocks; each block meets the stretch of keys that its queries can see.

    So work and memory grow with length * (left + right), not with length squared.
    """
    time = q.shape[2]
    # Away from the ends every window is whole and all blocks are alike, with one mask for all.
    start = -(-left // BLOCK) * BLOCK
    count, reach = (time - right - start) // BLOCK, left + BLOCK + right
    # Blocks that together meet most pairs all the same cost more in bookkeeping than they save.
    if count < 1 or (_plain(q) and time <= SHORT * reach):
        return _part(q, k, v, left, right, 0, time)
    stop = start + count * BLOCK

    def stretches(x: Tensor) -> Tensor:
        """Return the keys or values that each block meets: (batch * heads, count, reach, dim)."""
        if not _plain(x):
            seen = x[:, :, start - left : stop + right].unfold(2, reach, BLOCK).transpose(3, 4)
            return seen.flatten(0, 1)  # a view still: overlaps are stored once
        # The gradient of overlapping views is slow; the gradient of whole, shifted blocks is fast.
        shifted = []
        for place in range(0, reach, BLOCK):
            width = min(BLOCK, reach - place)
            begin = start - left + place + width - BLOCK
            blocks = x[:, :, begin : begin + count * BLOCK].unflatten(2, (count, BLOCK))
            shifted.append(blocks[..., BLOCK - width :, :])
        return torch.cat(shifted, 3).flatten(0, 1)

    blocks = q[:, :, start:stop].unflatten(2, (count, BLOCK)).flatten(0, 1)
    bias = window_mask(BLOCK, reach, -left, left, right, q.device, q.dtype)
    middle = _attend(blocks, stretches(k), stretches(v), bias).reshape(*q.shape[:2], -1, q.shape[3])
    first = _part(q, k, v, left, right, 0, start)
    last = _part(q, k, v, left, right, stop, time)
    return torch.cat([first, middle, last], 2)


def _part(q: Tensor, k: Tensor, v: Tensor, left: int, right: int, start: int, stop: int) -> Tensor:
    """Attend from the queries start .. stop - 1, with a mask of their own."""
    begin, end = max(0, start - left), min(k.shape[2], stop + right)
    bias = window_mask(stop - start, end - begin, begin - start, left, right, q.device, q.dtype)
    return _attend(q[:, :, start:stop], k[:, :, begin:end], v[:, :, begin:end], bias)


def _attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Softmax(q k' / sqrt(dim) + bias) v, in whichever form the device computes faster."""
    if not _plain(q):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + bias
    out: Tensor = scores.softmax(-1) @ v
    return out


def _plain(x: Tensor) -> bool:
    """Tell whether plain products are faster than the fused kernel: to train on a CPU.

    There the fused kernel's backward pass is slow: at 512 frames, window 128, bfloat16, plain
    products train three times as fast (`taae bench attention`).
    """
    return x.device.type == "cpu" and torch.is_grad_enabled()


@lru_cache(maxsize=64)
def window_mask(
    queries: int,
    keys: int,
    offset: int,
    left: int,
    right: int,
    device: torch.device,
    dtype: torch.dtype,
) -> Tensor:
    """Return 0 where query i sees key j, which lies at j + offset, else -inf: (queries, keys)."""
    with torch.inference_mode(False):  # a cached inference tensor could not be trained with later
        query = torch.arange(queries, device=device)[:, None]
        ahead = torch.arange(keys, device=device) + offset - query
        hidden = (ahead < -left) | (ahead > right)
        return torch.zeros(hidden.shape, device=device, dtype=dtype).masked_fill(hidden, -torch.inf)


@lru_cache(maxsize=1)
def _compiled_flex() -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    compiler: Any = torch.compile  # its type hints do not know recompile_limit
    # Whole or not at all: uncompiled, it would compute all scores.
    return compiler(flex_attention, dynamic=False, fullgraph=True, recompile_limit=FLEX_SHAPES)


@lru_cache(maxsize=64)
def _block_mask(time: int, left: int, right: int, device: torch.device) -> BlockMask:
    """Return FlexAttention's mask; it lists only the blocks that hold a visible pair."""
    from torch.nn.attention.flex_attention import BlockMask

    def visible(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key >= query - left) & (key <= query + right)

    with torch.inference_mode(False):
        blocks = -(-time // FLEX_BLOCK)
        block = torch.arange(blocks, device=device)
        first = ((block * FLEX_BLOCK - left) // FLEX_BLOCK).clamp(min=0)
        last = ((block * FLEX_BLOCK + FLEX_BLOCK - 1 + right) // FLEX_BLOCK).clamp(max=blocks - 1)
        count = (last - first + 1).int()[None, None]
        indices = ((first[:, None] + block) % blocks).int()[None, None]
        return BlockMask.from_kv_blocks(
            count, indices, BLOCK_SIZE=FLEX_BLOCK, mask_mod=visible, seq_lengths=(time, time)
        )
