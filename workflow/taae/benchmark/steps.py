"""Training steps: which arms share them, how they are measured, and what larger ones take."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from taae.benchmark.train_speed import WARM, Steps, chosen, generator_only, with_discriminator
from taae.codec.base import Codec
from taae.codec.config import Bottleneck
from taae.training.config import Variant
from taae.training.footprint import (
    activation_numbers,
    gradient_bytes,
    state_bytes,
    step_flops,
    training_flops,
)
from taae.training.out_of_memory import peak_bytes
from taae.utils.fingerprint import canonical
from taae.utils.memory import MIB, peak_mib
from taae.utils.sample_rate import SAMPLE_RATE

STEPS = 10
SMALL_BATCH = 4  # segments of the codec that larger ones are extrapolated from
DECODED = 10.0  # s of noise
FREE = (  # keys of a training that change no cost
    *("learning_rate", "adamw_learning_rate", "betas", "weight_decay", "warmup", "decay"),
    *("ema", "clip", "max_skipped"),
)


@dataclass(frozen=True)
class Steady:
    """What a training does all the time.

    Attributes:
        seconds: of a step.
        memory: MiB that a step holds at its peak, beyond what is held between steps.
        decoding: s per s of audio, encoding included.
        process: MiB of the process beyond these tensors; NaN where none was measured.
        basis: calibrated or extrapolated.
    """

    seconds: float
    memory: float
    decoding: float
    process: float = math.nan
    basis: str = "calibrated"


def signature(variant: Variant, playing: bool) -> Variant:
    """Return the variant with all alike that costs nothing: equal ones take equal time.

    Args:
        variant: of a study.
        playing: with the discriminator, else without it; then the codec is that of `judged`.
    """
    like = chosen(None).training
    variant = judged(variant) if playing else variant
    training, loss = variant.training, variant.training.loss
    alike = replace(
        variant,
        bottleneck=Bottleneck(variant.bottleneck.dimensions, 17, "symmetric", "hybrid"),
        model=replace(variant.model, norm_eps=1e-2, layer_scale=0.3),
        training=replace(
            training,
            loss=replace(like.loss, windows=loss.windows, overlap=loss.overlap),
            discriminator=replace(
                training.discriminator, learning_rate=like.discriminator.learning_rate
            ),
            perceptual=like.perceptual,
            **{name: getattr(like, name) for name in FREE},
        ),
    )
    if playing:
        return with_discriminator(alike)
    silent = replace(alike.training, discriminator=like.discriminator)
    return generator_only(replace(alike, training=silent))


def judged(variant: Variant) -> Variant:
    """Return the variant with the demo's codec: what a discriminator takes does not depend on it.

    So that is measured once, as the difference of two kinds of step.
    """
    like = chosen(None, "demo")
    return replace(variant, model=like.model, attention=like.attention, bottleneck=like.bottleneck)


def key(variant: Variant, playing: bool) -> str:
    """Return the signature as text."""
    return canonical(signature(variant, playing))


def measure(variant: Variant, corpus: Path) -> Steady:
    """Take steps, and decode; in a process of its own."""
    training = variant.training
    torch.set_num_threads(training.threads)
    device = "cuda" if training.gpus else "cpu"
    steps = Steps(variant, corpus, device)
    for _ in range(WARM):
        steps()
    resident = peak_bytes(torch.device("cpu")) / MIB
    memory = peak_mib(steps, device)
    steps.rows.pop()
    for _ in range(STEPS):
        steps()
    # On one thread the processor's time is that of the wall, but for what else the machine does.
    alone = training.gpus == 0 and training.threads == 1
    step = steps.median("processor" if alone else "wall")
    # A job decodes on one thread; on a GPU what counts is what the processor has to do.
    torch.set_num_threads(1)
    codec = steps.trainer.average.module.eval()  # never compiled, as in the job
    assert isinstance(codec, Codec)
    wave = 0.1 * torch.randn(1, round(DECODED * SAMPLE_RATE), device=device)
    codec.decode(codec.encode(wave))
    begun = time.process_time()
    codec.decode(codec.encode(wave))
    decoding = (time.process_time() - begun) / DECODED
    held = 0.0 if training.gpus else memory + state_bytes(variant) / MIB
    return Steady(step, memory, decoding, max(0.0, resident - held))


def stand_in(variant: Variant) -> Variant:
    """Return a training that is small enough to be measured instead."""
    few = min(SMALL_BATCH, variant.training.batch)
    # With a discriminator the codec is that of `judged`, which is smaller still.
    preset = None if variant.training.discriminator.share else "small"
    return chosen(variant, preset, batch=few, accumulate=1)


def extrapolated(variant: Variant, small: Variant, steady: Steady) -> Steady:
    """Scale the time of a smaller training by FLOPs, its activations by their number.

    Larger products come nearer to the rate of the machine, so that the time is an upper bound.
    """
    flops = training_flops(variant) / training_flops(small)
    activations = max(0.0, steady.memory - gradient_bytes(small) / MIB)
    activations *= activation_numbers(variant) / activation_numbers(small)
    second = step_flops(variant) / variant.training.batch / step_flops(small)
    return Steady(
        steady.seconds * flops,
        activations + gradient_bytes(variant) / MIB,
        steady.decoding * second * small.training.batch,
        basis="extrapolated",
    )
