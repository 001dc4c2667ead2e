"""The adversarial game between the codec and a discriminator D.

With x a segment, y its reconstruction, D_k the logits of scale k and f_kl the features of its
layer l, all averaged over the segments:

discriminator     mean over k of  mean max(0, 1 - D_k(x)) + mean max(0, 1 + D_k(y))      (hinge)
adversarial       mean over k of  -mean D_k(y)
feature_matching  mean over k, l of  mean |f_kl(x) - f_kl(y)| / mean |f_kl(x)|

D minimises the first, the codec the other two. Both gradients are taken at the same state of both
players, from one pass of D over x and one over y (see `taae.training.trainer`).

D is EnCodec's, of complex STFTs at several scales (arXiv 2210.13438, section 3.4). The TAAE paper
gives it FFT sizes a golden ratio apart: scales that share hops and bins, as powers of two do, leave
periodic artefacts in what is trained against them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from taae.codec.layers import WAVE_RMS
from taae.training import segments
from taae.training.config import Training
from taae.training.losses import FEATURE_FLOOR, Spectrum, Terms, relative
from taae.training.optimizer import Optimisation

OVERLAP = 4  # windows that a sample lies in
DILATIONS = (1, 2, 4)  # in time
SLOPE = 0.2  # of LeakyReLU below 0
ScaleOutput = tuple[Tensor, list[Tensor]]  # logits, features of each layer


def hinge(real: list[ScaleOutput], decoded: list[ScaleOutput]) -> Tensor:
    """Return what the discriminator minimises."""
    losses = [
        F.relu(1 - true.float()).mean() + F.relu(1 + false.float()).mean()
        for (true, _), (false, _) in zip(real, decoded, strict=True)
    ]
    return torch.stack(losses).mean()


def adversarial(decoded: list[ScaleOutput]) -> Tensor:
    """Return how surely the discriminator recognises decoded segments as decoded."""
    return torch.stack([-logits.float().mean() for logits, _ in decoded]).mean()


def feature_matching(real: list[ScaleOutput], decoded: list[ScaleOutput]) -> Tensor:
    """Return the distance of features from the real ones; gradients reach only the decoded ones."""
    losses = [
        relative(y, x.detach(), FEATURE_FLOOR)
        for (_, true), (_, false) in zip(real, decoded, strict=True)
        for x, y in zip(true, false, strict=True)
    ]
    return torch.stack(losses).mean()


class Adversary:
    """The discriminator, its optimiser, and the step at which it starts to play."""

    def __init__(self, training: Training, seed: int, device: torch.device) -> None:
        settings = training.discriminator
        self.seed, self.samples = seed, settings.samples
        self.start = training.first_step(settings.share)
        self.network = Discriminator(settings.fft_sizes, settings.width).to(device)
        own = replace(
            training,
            steps=training.steps - self.start,
            optimizer="adamw",
            learning_rate=settings.learning_rate,
        )
        self.optimisation = Optimisation(self.network, own)

    def terms(self, decoded: Tensor, target: Tensor, step: int) -> Terms:
        """Return the three terms of (batch, samples) waveforms, of a random cut of them."""
        samples = self.samples or target.shape[1]
        cut = segments.cut(target.shape[1], samples, self.seed, step)
        real, fake = self.network(target[:, cut]), self.network(decoded[:, cut])
        return {
            "adversarial": adversarial(fake),
            "feature_matching": feature_matching(real, fake),
            "discriminator": hinge(real, fake),
        }


class Discriminator(nn.Module):
    """A `ScaleDiscriminator` of `width` channels for each FFT size (samples)."""

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
