"""FLOPs of a training step; a multiplication with addition counts as two."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from taae.codec.complexity import Profile, profile
from taae.training.adversarial import Discriminator, adversarial, hinge
from taae.training.config import Variant
from taae.utils.sample_rate import SAMPLE_RATE

PASSES = 3  # the backward pass takes two products for each of the forward pass


def costs(variant: Variant) -> Profile:
    """Return what the variant's codec costs."""
    return profile(variant.codec)


def step_seconds(variant: Variant) -> float:
    """Return the seconds of audio in a step."""
    return variant.training.batch * variant.segment_samples / SAMPLE_RATE


def step_flops(variant: Variant) -> float:
    """Return the FLOPs of the codec in a step, forward and backward, nothing recomputed."""
    return PASSES * costs(variant).flops_per_second * step_seconds(variant)


def discriminator_flops(variant: Variant) -> float:
    """Return the FLOPs of the discriminator in a step in which it plays.

    PyTorch counts them, on a device without data: one pass over real and one over decoded
    segments, the gradient for the codec and that for the weights.
    """
    settings = variant.training.discriminator
    samples = min(settings.samples or variant.segment_samples, variant.segment_samples)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = Discriminator(settings.fft_sizes, settings.width)
        target, decoded = torch.empty(2, 1, samples).unbind()
        decoded.requires_grad_()
        real, fake = network(target), network(decoded)
        adversarial(fake).backward(inputs=[decoded], retain_graph=True)
        hinge(real, fake).backward(inputs=list(network.parameters()))
    return float(variant.training.batch * counter.get_total_flops())
