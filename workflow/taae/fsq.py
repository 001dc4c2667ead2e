"""Finite scalar quantization (FSQ): the bottleneck, as its equations.

Each latent dimension is squashed onto a bounded interval and rounded to one of L levels. Two
roundings are compared by the study:

symmetric (arXiv 2411.19842, the paper's modification)
    b(x) = tanh(x)
    Q(x) = 2/(L-1) * floor((L-1) * (b(x) + 1)/2 + 1/2) - 1
    The levels lie evenly on [-1, 1], both ends included, a step of 2/(L-1) apart.

original (Mentzer et al., arXiv 2309.15505)
    h = (L-1)(1-eps)/2,  o = 1/2 for even L else 0,  s = atanh(o/h),  eps = 1e-3
    b(x) = (tanh(x + s) * h - o) / floor(L/2)
    Q(x) = round(b(x) * floor(L/2)) / floor(L/2)
    For even L the levels are lopsided, [-1, 1 - 2/L]. The paper's listing prints tan for atanh;
    atanh is what makes b(0) = 0, and is used here. At L = 2, o exceeds h and s does not exist.

At odd L the two grids are the same and the forms differ by eps alone.
"""

from __future__ import annotations

import math
from typing import get_args

import torch
from torch import Tensor, nn

from taae.errors import TaaeError
from taae.study import Rounding, TrainingMode

EPSILON = 1e-3  # Mentzer et al.: keeps tanh * h from rounding to a level that does not exist


class FSQ(nn.Module):
    """Quantizes the last dimension of a tensor, elementwise, to `levels` values on [-1, 1].

    Args:
        levels: L, the number of values of each latent dimension; at least 2.
        rounding: "symmetric" or "original", see the module.
        training: how gradients pass in training mode (evaluation always rounds):
            "ste": rounded, with the straight-through gradient of b;
            "noise": b(x) + U(-step/2, step/2), which imitates rounding and is differentiable;
            "hybrid": drawn for each batch item: noise with probability 1/2, else unquantised
            or straight-through with 1/2 each (shares 50/25/25, the paper's modification).
    """

    def __init__(
        self, levels: int, rounding: Rounding = "symmetric", training: TrainingMode = "hybrid"
    ) -> None:
        super().__init__()
        if levels < 2:
            raise TaaeError(f"bottleneck.levels: {levels}; a quantizer has at least 2 levels")
        if rounding not in get_args(Rounding):
            raise TaaeError(f"bottleneck.rounding: '{rounding}' is none of {get_args(Rounding)}")
        if training not in get_args(TrainingMode):
            raise TaaeError(
                f"bottleneck.training: '{training}' is none of {get_args(TrainingMode)}"
            )
        if rounding == "original" and levels == 2:
            raise TaaeError("bottleneck.levels: original rounding is not defined for 2 levels")
        self.levels = levels
        self.rounding = rounding
        self.mode = training

    @property
    def step(self) -> float:
        """Distance between neighbouring levels."""
        return 2 / (self.levels - 1) if self.rounding == "symmetric" else 1 / (self.levels // 2)

    def bound(self, x: Tensor) -> Tensor:
        """Return b(x): the latent squashed onto the interval of the levels, in float32 or wider."""
        if x.dtype in (torch.float16, torch.bfloat16):
            x = x.float()
        if self.rounding == "symmetric":
            return x.tanh()
        half = (self.levels - 1) * (1 - EPSILON) / 2
        offset = 0.0 if self.levels % 2 else 0.5
        return ((x + math.atanh(offset / half)).tanh() * half - offset) / (self.levels // 2)

    def quantize(self, x: Tensor) -> Tensor:
        """Return the codes of latents `x`: int64 of the same shape, 0 .. levels - 1."""
        return self._nearest(self.bound(x)).long()

    def dequantize(self, codes: Tensor) -> Tensor:
        """Return the levels (float32) that int64 `codes` of any shape stand for."""
        return self._level(codes.float())

    def forward(self, x: Tensor) -> Tensor:
        """Return the quantised latents of `x` (batch, ..., dimensions), float32 or wider.

        In training mode the result is what `training` says; otherwise it equals
        `dequantize(quantize(x))`.
        """
        bounded = self.bound(x)
        rounded = bounded + (self._level(self._nearest(bounded)) - bounded).detach()
        if not self.training or self.mode == "ste":
            return rounded
        noisy = bounded + (torch.rand_like(bounded) - 0.5) * self.step
        if self.mode == "noise":
            return noisy
        shape = (x.shape[0],) + (1,) * (x.dim() - 1)
        unquantised, noise = (torch.rand(2, *shape, device=x.device) < 0.5).unbind()
        return torch.where(noise, noisy, torch.where(unquantised, bounded, rounded))

    def _nearest(self, bounded: Tensor) -> Tensor:
        """Return the number of the level nearest to b(x), still as floating point."""
        if self.rounding == "symmetric":
            return ((self.levels - 1) * (bounded + 1) / 2 + 0.5).floor()
        return (bounded * (self.levels // 2)).round() + self.levels // 2

    def _level(self, number: Tensor) -> Tensor:
        if self.rounding == "symmetric":
            return number * 2 / (self.levels - 1) - 1
        return number / (self.levels // 2) - 1

    def extra_repr(self) -> str:
        """Show the settings when a model is printed."""
        return f"levels={self.levels}, rounding={self.rounding}, training={self.mode}"


def pack(codes: Tensor, levels: int) -> Tensor:
    """Return one int64 token per frame from codes (..., dimensions): base-L digits, first lowest.

    Exact in int64; float32 arithmetic would be wrong from 2^24 tokens on.
    """
    if levels ** codes.shape[-1] > 2**63:
        raise TaaeError(f"{levels}^{codes.shape[-1]} tokens do not fit 64 bits; keep the codes")
    return (codes.long() * _place_values(codes.shape[-1], levels, codes.device)).sum(-1)


def unpack(tokens: Tensor, levels: int, dimensions: int) -> Tensor:
    """Return the codes (..., dimensions) of tokens: the inverse of `pack`."""
    return tokens.unsqueeze(-1) // _place_values(dimensions, levels, tokens.device) % levels


def _place_values(dimensions: int, levels: int, device: torch.device) -> Tensor:
    return torch.tensor([levels**place for place in range(dimensions)], device=device)
