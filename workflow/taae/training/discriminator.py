"""The discriminator: EnCodec's, of complex STFTs at several scales (arXiv 2210.13438, section 3.4).

The paper gives it FFT sizes a golden ratio apart: scales that share hops and bins, as powers of two
do, leave periodic artefacts in what is trained against them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from taae.codec.layers import WAVE_RMS
from taae.training.losses import Spectrum

OVERLAP = 4  # windows that a sample lies in
DILATIONS = (1, 2, 4)  # in time
SLOPE = 0.2  # of LeakyReLU below 0
ScaleOutput = tuple[Tensor, list[Tensor]]  # logits, features of each layer


class Discriminator(nn.Module):
    """A `ScaleDiscriminator` for each FFT size.

    Args:
        fft_sizes: samples.
        width: channels.
    """

    def __init__(self, fft_sizes: Sequence[int], width: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(ScaleDiscriminator(size, width) for size in fft_sizes)

    def forward(self, wave: Tensor) -> list[ScaleOutput]:
        """Return the output of each scale for (batch, samples); logits above 0 mean real."""
        return [scale(wave) for scale in self.scales]


class ScaleDiscriminator(nn.Module):
    """Convolutions over the real and imaginary parts of one STFT, (batch, channels, time, bins)."""

    def __init__(self, fft_size: int, width: int) -> None:
        super().__init__()
        self.spectrum = Spectrum(fft_size, max(1, fft_size // OVERLAP))
        self.layers = nn.ModuleList(
            [
                _convolution(2, width, (3, 9)),
                *(_convolution(width, width, (3, 9), (1, 2), rate) for rate in DILATIONS),
                _convolution(width, width, (3, 3)),
            ]
        )
        self.to_logits = _convolution(width, 1, (3, 3))

    def forward(self, wave: Tensor) -> ScaleOutput:
        """Return logits (batch, 1, time, bins / 8) and the features of each layer."""
        x = self.spectrum(wave / WAVE_RMS).permute(0, 3, 1, 2)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            features.append(x)
        return self.to_logits(x), features


def _convolution(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    dilation: int = 1,
) -> nn.Module:
    """Return a weight-normalised convolution over (time, bins), dilated in time."""
    padding = (dilation * (kernel[0] // 2), kernel[1] // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, (dilation, 1))
    normalised: nn.Module = weight_norm(conv)
    return normalised
