"""Training steps: how many FLOPs, where their time goes, and how fast ours are.

The reference is the same network in float32 with full attention, measured in turns.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from taae.benchmark.loader_speed import loader_figures
from taae.benchmark.shared import (
    Device,
    Work,
    hardware,
    medians,
    now,
    report,
    speech_corpus,
)
from taae.codec.complexity import profile
from taae.codec.config import Bottleneck
from taae.study.load import DEMO, load_study
from taae.training.adversarial import Discriminator, adversarial, hinge
from taae.training.config import BASELINE, Training, Variant
from taae.training.trainer import PHASES, Trainer
from taae.utils.options import Count
from taae.utils.precision import resolve
from taae.utils.sample_rate import SAMPLE_RATE

ENDLESS = 2**31  # steps of a training that is never finished
WARM = 2  # steps before those that count: they compile, and allocate the optimisers' states
PASSES = 3  # the backward pass takes two products for each of the forward pass
SQUARE = {"cpu": 2048, "cuda": 8192}  # rows of the matrices of the measured product


class TimedTraining:
    """A training that takes one step per call, and where the time of each step went."""

    def __init__(self, variant: Variant, corpus: Path, device: str) -> None:
        torch.manual_seed(0)
        self.trainer = Trainer(variant, 0, corpus, torch.device(device))
        self.trainer.timer.now = now
        self.rows: list[dict[str, float]] = []

    def __call__(self) -> None:
        """Take a step and note its seconds: of the wall, of the processor, of each phase."""
        before = self._clocks()
        self.trainer.step()
        self.rows.append({name: end - before[name] for name, end in self._clocks().items()})

    def _clocks(self) -> dict[str, float]:
        return {**self.trainer.timer.seconds, "wall": now(), "processor": time.process_time()}

    def median(self, name: str) -> float:
        """Return the median seconds of the steps that count."""
        return statistics.median(row[name] for row in self.rows[WARM:])


def one_process(variant: Variant, quiet: int = 0) -> Variant:
    """Return the training that is measured for a variant; equal ones take equal time.

    It is one process, with its share of the batch, of a training that never ends. Its
    discriminator, if any, plays after `quiet` steps; nothing is validated or perceptual.
    """
    training = variant.training
    plays = training.discriminator.share and 1 - quiet / ENDLESS
    training = replace(
        training,
        start="scratch",
        replicate=0,
        batch=training.batch // training.all_processes,
        gpus=min(1, training.gpus),
        processes=1,
        nodes=1,
        steps=ENDLESS,
        validate_every=ENDLESS,
        discriminator=replace(training.discriminator, share=plays),
        perceptual=replace(training.perceptual, share=0.0),
    )
    bottleneck = Bottleneck(variant.bottleneck.dimensions)
    attention = replace(variant.attention, random_windows=[])
    return replace(variant, attention=attention, bottleneck=bottleneck, training=training)


def step_seconds(variant: Variant) -> float:
    """Return the seconds of audio in a step."""
    return variant.training.batch * variant.segment_samples / SAMPLE_RATE


def step_flops(variant: Variant) -> float:
    """Return the FLOPs of the codec in a step, forward and backward, nothing recomputed."""
    return PASSES * profile(variant.codec).flops_per_second * step_seconds(variant)


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


def small() -> Variant:
    """Return a codec of 18 million parameters, and its training by AdamW on 4 x 5.12 s.

    Its layers are compiled where torch.compile finds the C++ compiler that it needs.
    """
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    training = Training(batch=4, optimizer="adamw", learning_rate=1e-4, compile=bool(compiler))
    return Variant(training=training)


def reference(variant: Variant) -> Variant:
    """Return the variant in float32 with full attention: how the original code runs on a CPU."""
    whole = 2 * variant.segment_samples  # keys, on either side more than there can be
    training = replace(variant.training, precision="float32", compile=False)
    return replace(variant, attention=replace(variant.attention, window=whole), training=training)


def train(
    *,
    study: list[Path] | None = None,
    variant: str = BASELINE,
    steps: Count = 20,
    device: Device | None = None,
) -> None:
    """Time training steps against the same network in float32 with full attention.

    Args:
        study: config files of a study; by itself the demo's, and beside it the preset small on
            4 x 5.12 s by AdamW.
        variant: of the study; its discriminator, if any, plays throughout.
        steps: that count, of each arm.
        device: by itself the GPU where there is one.
    """
    named = load_study(study or DEMO).variant(variant)
    measured = {variant: named} if study else {f"{variant} of the demo": named, "small": small()}
    with hardware(device) as here:
        for name, each in measured.items():
            print(f"{name}: {each.training.batch} x {each.training.segment:g} s")
            compare(one_process(each), here, steps)


def compare(variant: Variant, device: str, steps: int) -> None:
    """Take steps of a `one_process` and of its reference, in turns; print what they took."""
    precision, size = resolve(variant.training.precision, device), SQUARE[device]
    factors = torch.randn(2, size, size, device=device, dtype=getattr(torch, precision))
    with speech_corpus() as folder:
        ours = TimedTraining(variant, folder, device)
        theirs = TimedTraining(reference(variant), folder, device)
        product = partial(torch.mm, *factors)
        works = dict[str, Work](ours=ours, reference=theirs, product=product)
        spent = medians(works, seconds=0, least=WARM + steps - 1)
    print("ms per step, medians")
    for name, arm in (("ours", ours), ("float32, full attention", theirs)):
        phases = "  ".join(f"{phase} {1000 * arm.median(phase):7.1f}" for phase in PHASES)
        print(f"{name:24} {1000 * arm.median('wall'):7.1f}  {phases}")
    wall, rate = ours.median("wall"), 2 * size**3 / spent["product"]
    figures = {
        "throughput_ratio": round(theirs.median("wall") / wall, 3),
        "audio_s_per_s": round(step_seconds(variant) / wall, 2),
        "loader_share": round(ours.median("data") / wall, 4),
        "mfu": round(step_flops(variant) / wall / rate, 4),
        "matmul_gflops_per_s": round(rate / 1e9, 1),
        **loader_figures(variant, wall),
        **{f"{phase}_ms": round(1000 * ours.median(phase), 2) for phase in PHASES},
        "precision": precision,
        "compiled": variant.training.compile,
    }
    report(device, figures)
