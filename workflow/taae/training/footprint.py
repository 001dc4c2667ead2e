"""Bytes that a training holds and FLOPs that its steps take, from its config alone."""

from __future__ import annotations

from taae.codec.complexity import Profile, profile
from taae.codec.layer_geometry import parameter_count
from taae.training.config import Discriminator, Variant
from taae.training.discriminator import OVERLAP
from taae.utils.sample_rate import SAMPLE_RATE

FLOAT = 4  # bytes; weights, gradients and states are float32 whatever the precision
PASSES = 3  # the backward pass takes two products for each of the forward pass
KERNEL = 3 * 9, 3 * 3  # of the discriminator's convolutions, see `taae.training.discriminator`

# Products as large as the forward one, of each convolution of the discriminator in a step: two
# forward passes, over real and over decoded segments; the gradient of the decoded ones, for the
# codec; of both, those of the weights; and of what the convolution saw, where that is no segment.
FIRST, LATER = 2 + 1 + 2, 2 + 1 + 2 + 2


def codec_parameters(variant: Variant) -> int:
    """Return the trained numbers of the codec."""
    return parameter_count(variant.model, variant.attention, variant.bottleneck)


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


def step_flops(variant: Variant) -> float:
    """Return the FLOPs of a step: the codec's, forward and backward, nothing recomputed."""
    return PASSES * costs(variant).flops_per_second * step_seconds(variant)


def costs(variant: Variant) -> Profile:
    """Return what the variant's codec costs."""
    return profile(variant.model, variant.attention, variant.bottleneck)


def step_seconds(variant: Variant) -> float:
    """Return the seconds of audio in a step."""
    return variant.training.batch * variant.segment_samples / SAMPLE_RATE


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
