"""FLOPs of a training step, those of the discriminator included, from its config alone."""

from __future__ import annotations

from taae.bench.train import step_flops
from taae.planning.footprint import convolutions
from taae.training.discriminator import OVERLAP
from taae.variant import Variant

# Products as large as the forward one, of each convolution of the discriminator in a step: two
# forward passes, over real and over decoded segments; the gradient of the decoded ones, for the
# codec; of both, those of the weights; and of what the convolution saw, where that is no segment.
FIRST, LATER = 2 + 1 + 2, 2 + 1 + 2 + 2


def training_flops(variant: Variant) -> float:
    """Return the FLOPs of a step of the codec, and of the discriminator if it has a share."""
    flops = step_flops(variant)
    if variant.training.discriminator.share:
        flops += discriminator_flops(variant)
    return flops


def discriminator_flops(variant: Variant) -> float:
    """Return the FLOPs of the discriminator in a step in which it plays.

    A multiplication with addition counts as two. Convolutions alone, not Fourier transforms.
    """
    settings = variant.training.discriminator
    samples = min(settings.samples or variant.segment_samples, variant.segment_samples)
    macs = 0
    for size in settings.fft_sizes:
        frames, bins = (samples - size) // max(1, size // OVERLAP) + 1, size // 2 + 1
        passes = FIRST
        for inputs, outputs, kernel, stride in convolutions(settings):
            bins = -(-bins // stride)
            macs += passes * frames * bins * inputs * outputs * kernel
            passes = LATER
    return 2.0 * variant.training.batch * macs
