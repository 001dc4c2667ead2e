"""Measurements of speed: bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from taae.cli.shared import MEASURE, Count, Jobs, Study, Threads, among, app, option
from taae.codec.config import SHAPES
from taae.study.load import load_study
from taae.training.config import BASELINE

Device = Annotated[Literal["cpu", "cuda"] | None, option("by itself the GPU where there is one")]
Speech = Annotated[Path | None, option("folder of a corpus; by itself built-in speech")]
Quick = Annotated[bool, option("shorter inputs")]

bench = App(name="bench", help="Measure speed, side by side; ends in a JSON line.", group=MEASURE)
app.command(bench)


def use_threads(threads: int | None) -> None:
    """Compute on so many CPU threads; None: on all."""
    import torch

    if threads:
        torch.set_num_threads(threads)


@bench.command
def attention(
    *, quick: Quick = False, device: Device = None, threads: Threads | None = None
) -> None:
    """Time sliding-window against full attention, over lengths."""
    from taae.benchmark.attention_speed import attention

    use_threads(threads)
    attention(quick=quick, device=device)


@bench.command
def codec(
    *,
    model: Path | None = None,
    corpus: Speech = None,
    quick: Quick = False,
    device: Device = None,
    threads: Threads | None = None,
) -> None:
    """Time a codec with its window against full attention, over lengths of audio.

    Args:
        model: folder of a trained codec; by itself an untrained one.
    """
    from taae.benchmark.codec_speed import codec

    use_threads(threads)
    codec(model, corpus, quick=quick, device=device)


@bench.command
def score(
    *, corpus: Speech = None, jobs: Jobs = 2, quick: Quick = False, threads: Threads | None = None
) -> None:
    """Time `taae score` against the packages of its metrics, one after another."""
    from taae.benchmark.score_speed import score

    use_threads(threads)
    score(corpus, jobs, rounds=1 if quick else 3)


@bench.command
def stream(*, model: Path | None = None, quick: Quick = False, threads: Threads = 1) -> None:
    """Time the frames of a streaming codec.

    Args:
        model: folder of a causal codec; by itself an untrained one.
    """
    from taae.benchmark.stream_speed import stream

    use_threads(threads)
    stream(model, quick=quick)


@bench.command
def train(
    *,
    study: Study | None = None,
    variant: str = BASELINE,
    preset: Annotated[str | None, among(SHAPES)] = None,
    batch: Count | None = None,
    segment: float | None = None,
    precision: Literal["bfloat16", "float32"] | None = None,
    compile: Annotated[bool | None, Parameter(negative="--no-compile")] = None,
    discriminator: bool = False,
    steps: Count = 20,
    corpus: Speech = None,
    device: Device = None,
    threads: Threads | None = None,
) -> None:
    """Time training steps against the same network in float32 with full attention.

    Args:
        study: config files of a study; by itself the preset small, 4 x 5.12 s, AdamW.
        variant: of the study.
        preset: shape of the codec instead.
        batch: segments per step.
        segment: seconds of each.
        precision: of the products.
        compile: compile it, and show both; by itself where there is a compiler.
        discriminator: let it play.
        steps: of each that count.
    """
    from taae.benchmark.train_speed import train, variant_with

    use_threads(threads)
    chosen = load_study(study).variant(variant) if study else None
    train(
        variant_with(
            chosen, preset, compile=compile, precision=precision, batch=batch, segment=segment
        ),
        steps=steps,
        discriminator=discriminator,
        corpus=corpus,
        device=device,
    )
