"""Residual FSQ: a trained codec at other bitrates, without training (arXiv 2411.19842).

The bounded latent b(x) of the trained quantizer is approximated in stages (L_i, s_i), each on the
symmetric grid of L_i levels scaled by s_i, applied to what the stages before have left over:

    r_1 = b(x),  q_i = s_i Q(r_i / s_i),  r_{i+1} = r_i - q_i,  result = q_1 + q_2 + ...
    Q(r) = 2/(L-1) * clamp(floor((L-1) * (r + 1)/2 + 1/2), 0, L-1) - 1

b is the bound of the training, whichever its rounding, since the decoder knows latents on that
scale; the grid of the stages is always the symmetric one. With s_1 = 1 and
s_{i+1} = s_i / (L_i - 1) each stage covers the cells of the one before evenly: 2 stages of 5
levels, or 4 of 3, are the grid of 17 levels. With original rounding at an even L the latents end at
1 - 2/L, so the stages may decode to values a little above any that the decoder was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from taae.codec.fsq import FSQ, grid, nearest
from taae.codec.operating_points import Stage


class ResidualFSQ(nn.Module):
    """An `FSQ` with other levels: the same interface, for evaluation only.

    Args:
        trained: the quantizer that the codec was trained with; its b(x) is used.
        stages: (levels, scale), the coarsest first; presets are in `taae.codec.operating_points`.
    """

    def __init__(self, trained: FSQ, stages: Sequence[Stage]) -> None:
        super().__init__()
        self.trained = trained
        self.stages = tuple(stages)

    def quantize(self, x: Tensor) -> Tensor:
        """Return the codes of latents (..., dimensions): int64 (..., stages * dimensions).

        The columns of the first stage come first, so its codes are the first `dimensions`.
        """
        residual, codes = self.trained.bound(x), []
        for stage in self.stages:
            number = nearest(residual / stage.scale, stage.levels, "symmetric")
            codes.append(number.clamp(0, stage.levels - 1).long())
            residual = residual - _values(stage, codes[-1])
        return torch.cat(codes, dim=-1)

    def dequantize(self, codes: Tensor) -> Tensor:
        """Return the latents (..., dimensions), float32, that `codes` stand for."""
        parts = codes.unflatten(-1, (len(self.stages), -1)).unbind(-2)
        total = torch.zeros((), device=codes.device)
        for part, stage in zip(parts, self.stages, strict=True):
            total = total + _values(stage, part)
        return total

    def forward(self, x: Tensor) -> Tensor:
        """Return the quantised latents of `x`, of the same shape."""
        return self.dequantize(self.quantize(x))


def _values(stage: Stage, codes: Tensor) -> Tensor:
    return stage.scale * grid(stage.levels, "symmetric", codes.device)[codes]
