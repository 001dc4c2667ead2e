"""A convolutional codec to compare with: SEANet, as in EnCodec (arXiv 2210.13438, section 3.1).

Strided convolutions, each after a residual unit, and their mirror image; ELU, no recurrent
layer, weights trained as in the TAAE. The codec has the bottleneck, the hop and about the number
of parameters of the TAAE with the same config (`conv_shape`). Of the other settings only
`attention.causal` and `model.layer_scale` (initial scale of the residual units) play a part, so
variants that differ only in their window are one model.
Tensors inside are (batch, time, channels).
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from taae.codec.config import CodecConfig
from taae.codec.layer_geometry import conv_shape
from taae.codec.layers import WAVE_RMS, Convolution, Upsampling

GAIN = 1.25  # of a convolution at first: it makes up for what ELU takes from white input
_convolution = partial(Convolution, gain=GAIN)


class Encoder(nn.Module):
    """(batch, samples) -> latents (batch, frames, dimensions), before quantization."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        causal, scale = config.attention.causal, config.model.layer_scale
        channels, strides = conv_shape(config)
        layers: list[nn.Module] = [_convolution(1, channels[0], 7, causal)]
        for stride, fast, slow in zip(strides, channels, channels[1:], strict=False):
            layers += [
                ResidualUnit(fast, causal, scale),
                nn.ELU(),
                _convolution(fast, slow, 2 * stride, causal, stride),
            ]
        layers += [nn.ELU(), _convolution(channels[-1], config.bottleneck.dimensions, 3, causal)]
        self.layers = nn.Sequential(*layers)

    def forward(self, wave: Tensor) -> Tensor:
        """Return the latents of `wave`, whose length is a whole number of hops."""
        latents: Tensor = self.layers(wave[:, :, None] / WAVE_RMS)
        return latents


class Decoder(nn.Module):
    """Quantised latents (batch, frames, dimensions) -> (batch, samples)."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        causal, scale = config.attention.causal, config.model.layer_scale
        channels, strides = conv_shape(config)
        dimensions = config.bottleneck.dimensions
        layers: list[nn.Module] = [_convolution(dimensions, channels[-1], 3, causal)]
        steps = [*zip(strides, channels, channels[1:], strict=False)]
        for stride, fast, slow in reversed(steps):
            layers += [
                nn.ELU(),
                Upsampling(slow, fast, stride, causal, GAIN),
                ResidualUnit(fast, causal, scale),
            ]
        layers += [nn.ELU(), _convolution(channels[0], 1, 7, causal)]
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: Tensor) -> Tensor:
        """Return the waveform of quantised latents, one hop of samples per frame."""
        wave: Tensor = self.layers(latents)[..., 0] * WAVE_RMS
        return wave


class ResidualUnit(nn.Module):
    """Two convolutions through half of the channels, added to what comes in."""

    def __init__(self, channels: int, causal: bool, scale: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ELU(),
            _convolution(channels, channels // 2, 3, causal),
            nn.ELU(),
            Convolution(channels // 2, channels, 1, causal, gain=scale),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, channels) -> the same shape."""
        out: Tensor = x + self.layers(x)
        return out
