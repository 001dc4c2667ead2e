"""Measurements of speed: bench."""

from __future__ import annotations

import argparse
from pathlib import Path

from taae.cli.shared import MEASURE, Commands
from taae.codec.presets import PRESETS
from taae.study.load import load_study
from taae.training.config import BASELINE


def add_commands(commands: Commands) -> None:
    """Add `bench`."""
    bench = commands.add(
        "bench", _bench, "measure speed, side by side; ends in a JSON line", MEASURE
    )
    bench.add_argument("what", choices=["attention", "codec", "score", "stream", "train"])
    bench.add_argument("--quick", action="store_true", help="shorter inputs")
    bench.add_argument("--model", type=Path, help="trained codec for codec and stream")
    bench.add_argument(
        "--corpus", type=Path, help="for codec, score and train; default built-in speech"
    )
    bench.add_argument("--device", choices=["cpu", "cuda"], help="for attention, codec and train")
    bench.add_argument("--jobs", type=int, default=2, metavar="N", help="processes of score; 2")
    bench.add_argument("--threads", type=int, help="CPU threads; default all, stream: 1")
    trained = bench.add_argument_group("train", "by itself the preset small, 4 x 5.12 s, AdamW")
    trained.add_argument("--study", type=Path, nargs="+", help="config files of a study, and")
    trained.add_argument("--variant", default=BASELINE, help="its variant; default baseline")
    trained.add_argument("--preset", choices=list(PRESETS), help="shape of the codec instead")
    trained.add_argument("--batch", type=int, help="segments per step")
    trained.add_argument("--segment", type=float, metavar="S", help="seconds of each")
    trained.add_argument("--precision", choices=["bfloat16", "float32"])
    trained.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="compile it, and show both; by itself where there is a compiler",
    )
    trained.add_argument("--discriminator", action="store_true", help="let it play")
    trained.add_argument("--steps", type=int, default=20, help="of each that count; default 20")


def _bench(options: argparse.Namespace) -> None:
    import torch

    if options.threads or options.what == "stream":
        torch.set_num_threads(options.threads or 1)
    if options.what == "attention":
        from taae.benchmark.attention_speed import attention

        attention(quick=options.quick, device=options.device)
    elif options.what == "codec":
        from taae.benchmark.codec_speed import codec

        codec(options.model, options.corpus, quick=options.quick, device=options.device)
    elif options.what == "score":
        from taae.benchmark.score_speed import score

        score(options.corpus, options.jobs, rounds=1 if options.quick else 3)
    elif options.what == "train":
        _bench_train(options)
    else:
        from taae.benchmark.stream_speed import stream

        stream(options.model, quick=options.quick)


def _bench_train(options: argparse.Namespace) -> None:
    from taae.benchmark.train_speed import train, variant_with

    variant = load_study(options.study).variant(options.variant) if options.study else None
    changes = {"precision": options.precision, "batch": options.batch, "segment": options.segment}
    train(
        variant_with(variant, options.preset, compile=options.compile, **changes),
        steps=options.steps,
        discriminator=options.discriminator,
        corpus=options.corpus,
        device=options.device,
    )
