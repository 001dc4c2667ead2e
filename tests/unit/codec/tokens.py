"""One number per frame, as the papers count them: the codes of a frame as digits of a token."""

from __future__ import annotations

import torch
from torch import Tensor


def pack(codes: Tensor, levels: int) -> Tensor:
    """Return one int64 token per frame from codes (..., dimensions): base-L digits, first lowest.

    Exact in int64; float32 arithmetic would be wrong from 2^24 tokens on.
    """
    if levels ** codes.shape[-1] > 2**63:
        raise ValueError(f"{levels}^{codes.shape[-1]} tokens do not fit 64 bits; keep the codes")
    return (codes.long() * _place_values(codes.shape[-1], levels, codes.device)).sum(-1)


def unpack(tokens: Tensor, levels: int, dimensions: int) -> Tensor:
    """Return the codes (..., dimensions) of tokens: the inverse of `pack`."""
    return tokens.unsqueeze(-1) // _place_values(dimensions, levels, tokens.device) % levels


def _place_values(dimensions: int, levels: int, device: torch.device) -> Tensor:
    return torch.tensor([levels**place for place in range(dimensions)], device=device)
