"""Bytes that a training holds and leaves, from its config alone."""

from __future__ import annotations

from taae.links import links, parameters
from taae.recipe import Discriminator
from taae.sample_rate import SAMPLE_RATE
from taae.variant import Variant

FLOAT = 4  # bytes; weights, gradients and states are float32 whatever the precision
KERNEL = 3 * 9, 3 * 3  # of the discriminator's convolutions, see `taae.training.discriminator`


def codec_parameters(variant: Variant) -> int:
    """Return the trained numbers of the codec."""
    return parameters(links(variant.model, variant.attention, variant.bottleneck))


def convolutions(settings: Discriminator) -> list[tuple[int, int, int, int]]:
    """Return inputs, outputs, kernel and stride over bins of each layer of a scale."""
    width, (wide, square) = settings.width, KERNEL
    return [
        (2, width, wide, 1),
        *[(width, width, wide, 2)] * 3,
        (width, width, square, 1),
        (width, 1, square, 1),
    ]


def discriminator_parameters(settings: Discriminator) -> int:
    """Return the trained numbers of the discriminator, those of weight normalisation included."""
    # Each channel of a weight-normalised convolution has its kernel, a scale and a bias.
    scale = sum(
        outputs * (inputs * kernel + 2) for inputs, outputs, kernel, _ in convolutions(settings)
    )
    return len(settings.fft_sizes) * scale


def state_bytes(variant: Variant) -> int:
    """Return what a training holds between its steps: weights, averages, optimisers' states.

    AdamW keeps two numbers per weight, Muon one, which has all but a few of them. Gradients live
    within the steps.
    """
    kept = 2 + (1 if variant.training.optimizer == "muon" else 2)
    held = kept * codec_parameters(variant)
    if variant.training.discriminator.share:
        held += 3 * discriminator_parameters(variant.training.discriminator)
    return FLOAT * held


def gradient_bytes(variant: Variant) -> int:
    """Return what the gradients of a step take."""
    return FLOAT * codec_parameters(variant)


def activation_numbers(variant: Variant) -> float:
    """Return a number that the activations of a step are proportional to, between codecs alike.

    Frames times layers times width, over the rates; a part of the batch at a time.
    """
    model, training = variant.model, variant.training
    frames = [rate * variant.segment_samples / SAMPLE_RATE for rate in variant.rates()]
    layers = zip(frames, model.layers, strict=True)
    part = training.batch / training.parts
    return part * model.width * sum(count * depth for count, depth in layers)
