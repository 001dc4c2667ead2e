"""What a training takes: measured by real steps, or computed from FLOPs and a rate."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from taae.benchmark.flops import costs, discriminator_flops, step_flops
from taae.benchmark.train_speed import WARM, TimedTraining, generator_only, with_discriminator
from taae.codec.codec import Codec
from taae.codec.config import Bottleneck, Model
from taae.training.config import Training, Variant
from taae.utils.memory import MIB, peak_bytes
from taae.utils.sample_rate import SAMPLE_RATE

STEPS, ADVERSARIAL_STEPS = 10, 3  # that count; the latter may take ten times as long
DECODED = 10.0  # s of noise
FREE = (  # keys of a training that change no cost
    *("learning_rate", "adamw_learning_rate", "betas", "weight_decay", "warmup", "decay"),
    *("ema", "clip", "max_skipped", "perceptual"),
)


@dataclass(frozen=True)
class TrainingCost:
    """What one process of a training takes, and its codec after it.

    Attributes:
        step: s of a step without the discriminator.
        adversarial_step: s of a step in which the discriminator plays.
        decoding: s per s of audio, encoding included, on one thread.
        memory: MiB of the process at its peak, or of its GPU; NaN: not measured.
        basis: calibrated or extrapolated.
    """

    step: float
    adversarial_step: float
    decoding: float
    memory: float = math.nan
    basis: str = "calibrated"


def measured_variant(variant: Variant) -> Variant:
    """Return the training that is measured for a variant; equal ones take equal time.

    It is one process with its share of the batch, whose discriminator, if any, begins to play once
    the steps without it are measured. Keys that change no cost have their defaults.
    """
    training, default = variant.training, Training()
    loss = replace(default.loss, windows=training.loss.windows, overlap=training.loss.overlap)
    free = {name: getattr(default, name) for name in FREE}
    alike = replace(
        variant,
        bottleneck=Bottleneck(variant.bottleneck.dimensions),
        model=replace(variant.model, norm_eps=Model().norm_eps, layer_scale=Model().layer_scale),
        training=replace(training, loss=loss, **free),
    )
    if training.discriminator.share:
        return with_discriminator(alike, after=WARM + STEPS)
    return generator_only(alike)


def measure(variant: Variant, corpus: Path) -> TrainingCost:
    """Take the steps of a `measured_variant`, and decode; in a process of its own."""
    training = variant.training
    torch.set_num_threads(training.threads)
    device = "cuda" if training.gpus else "cpu"
    steps = TimedTraining(variant, corpus, device)
    # On one thread the processor's time is the wall's, but for what else the machine does.
    clock = "processor" if training.gpus == 0 and training.threads == 1 else "wall"

    def median_step(count: int) -> float:
        steps.rows.clear()
        for _ in range(WARM + count):
            steps()
        return steps.median(clock)

    step = adversarial_step = median_step(STEPS)
    if training.discriminator.share:
        adversarial_step = median_step(ADVERSARIAL_STEPS)
    memory = peak_bytes(torch.device(device)) / MIB
    # A job decodes on one thread; on a GPU the processor's work counts.
    torch.set_num_threads(1)
    codec = steps.trainer.average.module.eval()  # never compiled, as in the job
    assert isinstance(codec, Codec)
    wave = 0.1 * torch.randn(1, round(DECODED * SAMPLE_RATE), device=device)
    codec.decode(codec.encode(wave))
    begun = time.process_time()
    codec.decode(codec.encode(wave))
    decoding = (time.process_time() - begun) / DECODED
    return TrainingCost(step, adversarial_step, decoding, memory)


def extrapolate(variant: Variant, small: Variant, cost: TrainingCost) -> TrainingCost:
    """Scale the times of a smaller training by FLOPs, and of the discriminator by the batch.

    Larger products come nearer to the machine's best rate: the time is an upper bound.
    """
    step = cost.step * step_flops(variant) / step_flops(small)
    playing = cost.adversarial_step - cost.step
    playing *= variant.training.batch / small.training.batch
    decoding = costs(variant).flops_per_second / costs(small).flops_per_second
    return TrainingCost(step, step + playing, cost.decoding * decoding, basis="extrapolated")


def cost_at(rate: float, variant: Variant) -> TrainingCost:
    """Return the cost on a GPU of `rate` FLOP/s, which decodes in no time beside a job's start."""
    step, playing = step_flops(variant) / rate, 0.0
    if variant.training.discriminator.share:
        playing = discriminator_flops(variant) / rate
    return TrainingCost(step, step + playing, 0.0, basis="extrapolated")
