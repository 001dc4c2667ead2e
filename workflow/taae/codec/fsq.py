"""Finite scalar quantization (FSQ): the bottleneck, as its equations.

Each latent dimension is squashed onto a bounded interval and rounded to one of L levels. A study
compares three roundings:

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

shifted (half a step above the symmetric form)
    b(x) = tanh(x) + 1/(L-1)
    Q(x) = (2 * floor((L-1) * (b(x) + 1)/2) + 1)/(L-1) - 1
    For even L zero is a level, as in the original form, but the step is that of the symmetric one:
    the original form is the symmetric one times (L-1)/L, and lower by 1/L. The bound is that of
    vector-quantize-pytorch from January to March 2025 (its issue 194), which rounded it to whole
    numbers: at most three values whatever L. Here it is rounded in steps of its own grid.

At odd L the symmetric and the original grid are the same, and their forms differ by eps alone. The
step between levels is 2/(L-1), in the original form 1/floor(L/2). At a single L the codes of all
forms agree, but for eps and a shift of x in the original one: what differs is where the levels of
several L lie in one decoder.

Training with random levels (arXiv 2411.19842) draws L for each batch item, so that one codec serves
several bitrates; `taae.codec.residual_fsq` then changes the quantizer of a trained codec.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from taae.codec.config import HYBRID_SHARES, Rounding, TrainingMode

EPSILON = 1e-3  # Mentzer et al.: keeps tanh * h from rounding to a level that does not exist

Levels = int | Tensor  # L: one for all, or one per batch item, shaped to broadcast


def bound(x: Tensor, levels: Levels, rounding: Rounding) -> Tensor:
    """Return b(x): the latent squashed onto the interval of the levels, in float32 or wider."""
    if x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()
    if rounding == "symmetric":
        return x.tanh()
    if rounding == "shifted":
        return x.tanh() + 1 / (levels - 1)
    half = (levels - 1) * (1 - EPSILON) / 2
    offset = (1 - levels % 2) / 2
    ratio = offset / half
    shift = ratio.atanh() if isinstance(ratio, Tensor) else math.atanh(ratio)
    return ((x + shift).tanh() * half - offset) / (levels // 2)


def nearest(bounded: Tensor, levels: Levels, rounding: Rounding) -> Tensor:
    """Return the number of the level nearest to b(x), 0 .. L - 1, still as floating point."""
    if rounding == "symmetric":
        return ((levels - 1) * (bounded + 1) / 2 + 0.5).floor()
    if rounding == "shifted":
        return ((levels - 1) * (bounded + 1) / 2).floor()
    return (bounded * (levels // 2)).round() + levels // 2


def level(number: Tensor, levels: Levels, rounding: Rounding) -> Tensor:
    """Return the value of the level of that number."""
    if rounding == "symmetric":
        return number * 2 / (levels - 1) - 1
    if rounding == "shifted":
        return (number * 2 + 1) / (levels - 1) - 1
    return number / (levels // 2) - 1


def grid(levels: int, rounding: Rounding, device: torch.device) -> Tensor:
    """Return the values of all levels in float32, lowest first."""
    numbers = torch.arange(levels, dtype=torch.float32, device=device)
    return level(numbers, levels, rounding)


def step(levels: Levels, rounding: Rounding) -> float | Tensor:
    """Return the distance between neighbouring levels."""
    return 1 / (levels // 2) if rounding == "original" else 2 / (levels - 1)


class FSQ(nn.Module):
    """Quantizes the last dimension of a tensor, elementwise, to `levels` values of a grid.

    Args:
        levels: L, the number of values of each latent dimension; at least 2.
        rounding: "symmetric", "original" or "shifted", see the module.
        training: how gradients pass in training mode (evaluation always rounds):
            "ste": rounded, with the straight-through gradient of b;
            "noise": b(x) + U(-step/2, step/2), which imitates rounding and is differentiable;
            "hybrid": drawn for each batch item: noise, unquantised (b) or straight-through, by
            `shares` (the paper's modification);
            "continuous": never rounded, b(x) + c U(-step/2, step/2) with c drawn from U(0, 1) for
            each batch item. A trunk is trained so.
        random_levels: where given, each batch item is trained with an L drawn uniformly from it;
            evaluation uses `levels`.
        shares: of noise, unquantised and straight-through items in hybrid training; they sum to 1.

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
        shares: Sequence[float] = HYBRID_SHARES,
    ) -> None:
        super().__init__()
        self.levels = levels
        self.rounding = rounding
        self.mode = training
        self.random_levels = tuple(random_levels)
        self.noise, unquantised, ste = shares
        others = unquantised + ste
        self.unquantised = unquantised / others if others else 0.0  # of what is not noise
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
        unquantised = self._rand(x, item) < self.unquantised
        noise = self._rand(x, item) < self.noise
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
