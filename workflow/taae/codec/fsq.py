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

At odd L the two grids are the same and the forms differ by eps alone. The step between levels is
2/(L-1) in the symmetric form and 1/floor(L/2) in the original one.

Training with random levels (arXiv 2411.19842) draws L for each batch item, so that one codec serves
several bitrates; `taae.codec.residual_fsq` then changes the quantizer of a trained codec.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from taae.codec.config import Rounding, TrainingMode

EPSILON = 1e-3  # Mentzer et al.: keeps tanh * h from rounding to a level that does not exist

Levels = int | Tensor  # L: one for all, or one per batch item, shaped to broadcast


def bound(x: Tensor, levels: Levels, rounding: Rounding) -> Tensor:
    """Return b(x): the latent squashed onto the interval of the levels, in float32 or wider."""
    if x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()
    if rounding == "symmetric":
        return x.tanh()
    half = (levels - 1) * (1 - EPSILON) / 2
    offset = (1 - levels % 2) / 2
    ratio = offset / half
    shift = ratio.atanh() if isinstance(ratio, Tensor) else math.atanh(ratio)
    return ((x + shift).tanh() * half - offset) / (levels // 2)


def nearest(bounded: Tensor, levels: Levels, rounding: Rounding) -> Tensor:
    """Return the number of the level nearest to b(x), 0 .. L - 1, still as floating point."""
    if rounding == "symmetric":
        return ((levels - 1) * (bounded + 1) / 2 + 0.5).floor()
    return (bounded * (levels // 2)).round() + levels // 2


def level(number: Tensor, levels: Levels, rounding: Rounding) -> Tensor:
    """Return the value of the level of that number."""
    if rounding == "symmetric":
        return number * 2 / (levels - 1) - 1
    return number / (levels // 2) - 1


def grid(levels: int, rounding: Rounding, device: torch.device) -> Tensor:
    """Return the values of all levels in float32, lowest first."""
    numbers = torch.arange(levels, dtype=torch.float32, device=device)
    return level(numbers, levels, rounding)


def step(levels: Levels, rounding: Rounding) -> float | Tensor:
    """Return the distance between neighbouring levels."""
    return 2 / (levels - 1) if rounding == "symmetric" else 1 / (levels // 2)


class FSQ(nn.Module):
    """Quantizes the last dimension of a tensor, elementwise, to `levels` values on [-1, 1].

    Args:
        levels: L, the number of values of each latent dimension; at least 2.
        rounding: "symmetric" or "original", see the module.
        training: how gradients pass in training mode (evaluation always rounds):
            "ste": rounded, with the straight-through gradient of b;
            "noise": b(x) + U(-step/2, step/2), which imitates rounding and is differentiable;
            "hybrid": drawn for each batch item: noise with probability 1/2, else unquantised
            or straight-through with 1/2 each (shares 50/25/25, the paper's modification);
            "continuous": never rounded, b(x) + c U(-step/2, step/2) with c drawn from U(0, 1) for
            each batch item. A trunk is trained so.
        random_levels: where given, each batch item is trained with an L drawn uniformly from it;
            evaluation uses `levels`.

    Attributes:
        parts: of a batch, all of one size, that the inputs are. What is drawn is drawn for the
            whole batch, so that parts which start from the same state of the generator have the
            noise that the batch has in one piece.
        part: the number of the next input among them, from 0. A tensor, since torch.compile would
            compile again for each value of a plain number.
    """

    part: Tensor

    def __init__(
        self,
        levels: int,
        rounding: Rounding = "symmetric",
        training: TrainingMode = "hybrid",
        random_levels: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.levels = levels
        self.rounding = rounding
        self.mode = training
        self.random_levels = tuple(random_levels)
        self.parts = 1
        self.register_buffer("part", torch.zeros(1, dtype=torch.int64), persistent=False)

    def bound(self, x: Tensor) -> Tensor:
        """Return b(x) of any shape, see `bound`."""
        return bound(x, self.levels, self.rounding)

    def quantize(self, x: Tensor) -> Tensor:
        """Return the codes of latents `x`: int64 of the same shape, 0 .. levels - 1."""
        return nearest(self.bound(x), self.levels, self.rounding).long()

    def dequantize(self, codes: Tensor) -> Tensor:
        """Return the levels (float32) that int64 `codes` of any shape stand for."""
        return grid(self.levels, self.rounding, codes.device)[codes]

    def forward(self, x: Tensor) -> Tensor:
        """Return the quantised latents of `x` (batch, ..., dimensions), float32 or wider.

        In training mode the result is what `training` says; otherwise it equals
        `dequantize(quantize(x))`.
        """
        item = (1,) * (x.dim() - 1)  # shape of what is drawn for each batch item
        levels = self._draw_levels(x, item)
        bounded = bound(x, levels, self.rounding)
        number = nearest(bounded, levels, self.rounding)
        rounded = bounded + (level(number, levels, self.rounding) - bounded).detach()
        if not self.training or self.mode == "ste":
            return rounded
        uniform = self._rand(bounded, bounded.shape[1:])
        noisy = bounded + (uniform - 0.5) * step(levels, self.rounding)
        if self.mode == "noise":
            return noisy
        if self.mode == "continuous":
            return torch.lerp(bounded, noisy, self._rand(x, item).to(bounded.dtype))
        unquantised, noise = (self._rand(x, item) < 0.5 for _ in range(2))
        return torch.where(noise, noisy, torch.where(unquantised, bounded, rounded))

    def _draw_levels(self, x: Tensor, item: Sequence[int]) -> Levels:
        if not (self.training and self.random_levels):
            return self.levels
        choices = torch.tensor(self.random_levels, device=x.device)
        return choices[(self._rand(x, item) * len(choices)).long()]

    def _rand(self, x: Tensor, item: Sequence[int]) -> Tensor:
        """Draw from U(0, 1) for each of the batch items `x`; a tensor (items, *item)."""
        whole = torch.rand(self.parts, len(x), *item, device=x.device)
        return whole.index_select(0, self.part)[0]
