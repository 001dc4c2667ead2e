"""Training steps, ours against the same network in float32 with full attention, in turns."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from taae.benchmark.flops import costs, step_flops, step_seconds
from taae.benchmark.speech import speech_corpus
from taae.benchmark.timing import DTYPES, device_name, now, pick_device, report
from taae.codec.config import SHAPES
from taae.training.config import Training, Variant
from taae.training.trainer import PHASES, Trainer
from taae.utils.memory import MIB, peak_mib
from taae.utils.precision import resolve

ENDLESS = 2**31  # steps of a training that is never finished
WARM = 2  # steps before those that count: they compile, and allocate the optimisers' states
SQUARE = {"cpu": 2048, "cuda": 8192}  # rows of the matrices of the measured product
REFERENCE = "float32, full attention"


class TimedTraining:
    """A training that takes one step per call, and where the time of each step went."""

    def __init__(self, variant: Variant, corpus: Path, device: str) -> None:
        torch.manual_seed(0)
        self.trainer = Trainer(variant, 0, corpus, torch.device(device))
        self.trainer.timer.now = now
        self.rows: list[dict[str, float]] = []

    def __call__(self) -> None:
        """Take a step and note its seconds: of the wall, of the processor, of each phase."""
        spent = self.trainer.timer.seconds
        before, wall, processor = dict(spent), now(), time.process_time()
        self.trainer.step()
        row = {name: spent[name] - before[name] for name in PHASES}
        row |= {"wall": now() - wall, "processor": time.process_time() - processor}
        self.rows.append(row)

    def median(self, name: str) -> float:
        """Return the median seconds of the steps that count."""
        return statistics.median(row[name] for row in self.rows[WARM:])


def generator_only(variant: Variant) -> Variant:
    """Return the variant in its first stage, for ever: no discriminator, nothing perceptual.

    Of several processes it is one, with its share of the batch.
    """
    training = variant.training
    quiet = replace(
        training,
        batch=training.batch // training.all_processes,
        gpus=min(1, training.gpus),
        processes=1,
        nodes=1,
        steps=ENDLESS,
        validate_every=ENDLESS,
        discriminator=replace(training.discriminator, share=0.0),
        perceptual=replace(training.perceptual, share=0.0),
    )
    return replace(variant, training=quiet)


def with_discriminator(variant: Variant, after: int = 0) -> Variant:
    """Return the variant with its discriminator playing for ever, `after` some steps."""
    training = generator_only(variant).training
    loss = training.loss
    if not (loss.adversarial or loss.feature_matching):
        loss = replace(loss, adversarial=0.1, feature_matching=5.0)  # the paper's
    playing = replace(training.discriminator, share=1 - after / ENDLESS)
    return replace(variant, training=replace(training, loss=loss, discriminator=playing))


def reference(variant: Variant) -> Variant:
    """Return the variant in float32 with full attention: how the original code runs on a CPU."""
    whole = 2 * variant.segment_samples  # keys, on either side more than there can be
    training = replace(variant.training, precision="float32", compile=False)
    return replace(variant, attention=replace(variant.attention, window=whole), training=training)


def variant_with(variant: Variant | None, preset: str | None = None, **training: Any) -> Variant:
    """Return the variant with another shape and other keys of its training; None changes nothing.

    Without a variant it is the default codec, 18 million parameters (the preset small), trained
    by AdamW on 4 x 5.12 s, and compiled where there is a compiler.
    """
    if variant is None:
        training_of_it = Training(
            batch=4, optimizer="adamw", learning_rate=1e-4, compile=can_compile()
        )
        variant = Variant(training=training_of_it)
    shape = SHAPES[preset] if preset else {}
    given = {name: value for name, value in training.items() if value is not None}
    variant = replace(
        variant,
        model=replace(variant.model, **shape),
        training=replace(variant.training, **given),
    )
    variant.check()
    return variant


def can_compile() -> bool:
    """Tell whether torch.compile finds the C++ compiler that it needs."""
    return shutil.which(os.environ.get("CXX", "g++")) is not None


def train(
    variant: Variant | None = None,
    steps: int = 20,
    discriminator: bool = False,
    corpus: Path | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    """Measure, print a table and then one JSON line of figures; return these.

    Args:
        variant: what is trained; by itself that of `variant_with`.
        steps: that count, of each of the two.
        discriminator: whether it plays, throughout.
        corpus: folder of a corpus; without one, built-in speech.
        device: cpu or cuda; by itself the GPU where there is one.
    """
    device = pick_device(device)
    stage = with_discriminator if discriminator else generator_only
    variant = stage(variant or variant_with(None))
    flops, seconds = step_flops(variant), step_seconds(variant)
    others = {REFERENCE: reference(variant)}
    if variant.training.compile:
        eager = replace(variant.training, compile=False)
        others["ours, not compiled"] = replace(variant, training=eager)
    precision = resolve(variant.training.precision, device)
    product, product_flops = matrix_product(precision, device)
    products = []
    with speech_corpus(corpus) as folder:
        arms = {"ours": TimedTraining(variant, folder, device)}
        for _ in range(WARM):
            arms["ours"]()
        peak = peak_mib(arms["ours"], device)
        kept = tensor_bytes(arms["ours"].trainer.state())
        arms["ours"].rows.pop()
        for name, other in others.items():
            arms[name] = TimedTraining(other, folder, device)
            for _ in range(WARM):
                arms[name]()
        for _ in range(steps):
            for arm in arms.values():
                arm()
            begun = now()
            product()
            products.append(now() - begun)
    rate = product_flops / statistics.median(products)
    print(f"{device_name(device)}, {torch.get_num_threads()} threads; ms per step, medians")
    for name, arm in arms.items():
        phases = "  ".join(f"{phase} {1000 * arm.median(phase):7.1f}" for phase in PHASES)
        print(f"{name:24} {1000 * arm.median('wall'):7.1f}  {phases}")
    print(f"matrix product, {precision}: {rate / 1e9:.0f} GFLOP/s")
    ours = arms["ours"]
    wall = ours.median("wall")

    def ratio(clock: str, name: str = "ours") -> float:
        return round(arms[REFERENCE].median(clock) / arms[name].median(clock), 3)

    figures = {
        "throughput_ratio": ratio("wall"),
        "processor_ratio": ratio("processor"),
        "loader_share": round(ours.median("data") / wall, 4),
        "audio_s_per_s": round(seconds / wall, 2),
        "reference_audio_s_per_s": round(seconds / arms[REFERENCE].median("wall"), 2),
        "latents_per_s": round(seconds * variant.rates()[-1] / wall, 1),
        "transformer_tokens_per_s": round(seconds * sum(variant.rates()) / wall, 1),
        "mfu": round(flops / wall / rate, 4),
        "step_gflops": round(flops / 1e9, 1),
        "matmul_gflops_per_s": round(rate / 1e9, 1),
        "peak_mib": round(peak + kept / MIB, 1),
        **{f"{phase}_ms": round(1000 * ours.median(phase), 2) for phase in PHASES},
        "parameters": costs(variant).parameters,
        "precision": precision,
        "compiled": variant.training.compile,
        "device": device_name(device),
        "threads": torch.get_num_threads(),
    }
    for name in others:
        if name != REFERENCE:
            figures |= {
                "eager_throughput_ratio": ratio("wall", name),
                "eager_processor_ratio": ratio("processor", name),
            }
    return report(figures)


def tensor_bytes(state: object) -> int:
    """Return the size of all tensors in nested mappings and sequences."""
    if isinstance(state, torch.Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, Mapping):
        return sum(tensor_bytes(value) for value in state.values())
    return sum(tensor_bytes(value) for value in state) if isinstance(state, list | tuple) else 0


def matrix_product(precision: str, device: str) -> tuple[Callable[[], object], float]:
    """Return a product of square matrices, and its FLOPs: what the machine can do at best."""
    size = SQUARE[device]
    one, other = (torch.randn(size, size, device=device, dtype=DTYPES[precision]) for _ in "ab")
    product = partial(torch.mm, one, other)
    product()
    return product, 2.0 * size**3
