"""The convolutions that both kinds of codec are built from, on (batch, time, features).

The paper normalises the weights of its convolutions (weight_norm). Here they are plain matrices, so
that Muon trains them like the other matrices: it normalises the updates, and gains 0.5 dB of SI-SDR
at equal time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrize import register_parametrization

WAVE_RMS = 0.1  # of speech at -20 LUFS, about


class Convolution(nn.Module):
    """Convolution over time: `stride` frames become one; centred or causal.

    With stride 1 the kernel is odd and the length stays; with a stride the kernel is 2 * stride.
    If causal, the last tap meets the newest input frame. Initially the convolution multiplies the
    root mean square of white input by `gain`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        causal: bool,
        stride: int = 1,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        around = kernel - stride
        before = around if causal else around // 2
        self.padding = (before, around - before)
        conv = nn.Conv1d(inputs, outputs, kernel, stride)
        self.conv = _with_matrix_weight(conv, gain * (inputs * kernel) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, inputs) -> (batch, time / stride, outputs)."""
        out: Tensor = self.conv(F.pad(x.transpose(1, 2), self.padding)).transpose(1, 2)
        return out


class Upsampling(nn.Module):
    """Transposed convolution, kernel 2 * stride: one frame becomes `stride`.

    If causal, the outputs depend on their own input frame and on the one before. `gain` as for
    `Convolution`.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int, causal: bool, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.stride = stride
        self.skip = 0 if causal else stride // 2  # outputs that would come before the first frame
        conv = nn.ConvTranspose1d(inputs, outputs, 2 * stride, stride)
        # Each output depends on two input frames.
        self.conv = _with_matrix_weight(conv, gain * (2 * inputs) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, inputs) -> (batch, time * stride, outputs)."""
        grown = self.conv(x.transpose(1, 2))[..., self.skip :]
        out: Tensor = grown[..., : x.shape[1] * self.stride].transpose(1, 2)
        return out


class MatrixWeight(nn.Module):
    """The weight of a convolution, kept as a matrix; all dimensions but the first are folded."""

    def __init__(self, shape: torch.Size) -> None:
        super().__init__()
        self.inner = shape[1:]

    def forward(self, matrix: Tensor) -> Tensor:
        """(rows, ...) -> the shape of the weight."""
        weight: Tensor = matrix.unflatten(1, self.inner)
        return weight

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The shape of the weight -> (rows, ...)."""
        return weight.flatten(1)


def _with_matrix_weight(conv: nn.Conv1d | nn.ConvTranspose1d, std: float) -> nn.Module:
    """Draw the weight of `conv` from N(0, std^2) and keep it as a matrix; the bias begins at 0."""
    assert conv.bias is not None
    nn.init.normal_(conv.weight, std=std)
    nn.init.zeros_(conv.bias)
    return register_parametrization(conv, "weight", MatrixWeight(conv.weight.shape))
