"""Sliding-window attention: exact on every device, at a cost linear in the length."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from taae.errors import TaaeError

MIN_BLOCK = 64  # queries per block; smaller blocks cost more in bookkeeping than they save


def sliding_window_attention(q: Tensor, k: Tensor, v: Tensor, left: int, right: int) -> Tensor:
    """Softmax attention in which query i sees the keys i - left .. i + right that exist.

    Queries are taken in blocks; each block meets only the stretch of keys that some query of
    it can see, so work and memory grow with length * (left + right), not with length squared.

    Args:
        q, k, v: (batch, heads, time, dim), any floating dtype, any device.
        left: keys seen before the query; 0 or more. Wider than the sequence is allowed.
        right: keys seen after the query; 0 or more.

    Returns:
        (batch, heads, time, dim).
    """
    if left < 0 or right < 0:
        raise TaaeError(f"attention window [{left}, {right}]: neither side can be negative")
    batch, heads, time, dim = q.shape
    if time == 0:
        return torch.empty_like(q)
    left, right = min(left, time - 1), min(right, time - 1)
    if left == right == time - 1:
        return F.scaled_dot_product_attention(q, k, v)

    size = min(max(left, right, MIN_BLOCK), time)
    count = -(-time // size)

    def blocks(x: Tensor) -> Tensor:
        padded = F.pad(x, (0, 0, 0, count * size - time))
        return padded.reshape(batch * heads, count, size, dim)

    def stretches(x: Tensor) -> Tensor:
        """Each block of keys with the end of the block before and the start of the next."""
        own = blocks(x)
        before = F.pad(own[:, :-1, size - left :], (0, 0, 0, 0, 1, 0))
        after = F.pad(own[:, 1:, :right], (0, 0, 0, 0, 0, 1))
        return torch.cat([before, own, after], dim=2)

    bias = _bias(count, size, left, right, time, q.device, q.dtype)
    out = _attend(blocks(q), stretches(k), stretches(v), bias)
    return out.reshape(batch, heads, count * size, dim)[:, :, :time]


def _attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Softmax(q k' / sqrt(dim) + bias) v, in whichever form the device computes faster."""
    if q.device.type == "cpu" and torch.is_grad_enabled():
        # The backward pass of the fused CPU kernel is slow: at 512 tokens, window 128, bfloat16,
        # plain products train three times as fast (taae bench attention).
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + bias
        out: Tensor = scores.softmax(-1) @ v
        return out
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


@lru_cache(maxsize=64)
def _bias(
    count: int,
    size: int,
    left: int,
    right: int,
    time: int,
    device: torch.device,
    dtype: torch.dtype,
) -> Tensor:
    """Return 0 where a query sees a key of its stretch, else -inf: (1, count, size, stretch)."""
    with torch.inference_mode(False):  # a cached inference tensor could not be trained with later
        start = torch.arange(count, device=device)[:, None, None] * size
        query = start + torch.arange(size, device=device)[:, None]
        key = start - left + torch.arange(size + left + right, device=device)
        inside = (key >= query - left) & (key <= query + right) & (key >= 0) & (key < time)
        # Padded queries, beyond the end, see everything: a row with no key at all would be NaN.
        seen = inside | (query >= time)
        return torch.zeros(seen.shape, device=device, dtype=dtype).masked_fill(~seen, -torch.inf)[
            None
        ]
