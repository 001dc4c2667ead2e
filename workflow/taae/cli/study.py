"""The study itself: check, download, plan."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from taae.cli.shared import STUDY, Commands, add_path, add_study
from taae.codec.layer_geometry import parameter_count
from taae.study.load import layered, load_study
from taae.utils.errors import TaaeError


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    check = commands.add("check", _check, "resolve a study and list its variants", STUDY)
    add_study(check)

    download = commands.add(
        "download", _download, "bring subsets of LibriSpeech to the study's folder", STUDY
    )
    add_study(download)
    download.add_argument("--subset", nargs="+", metavar="NAME", help="default: all of the study")
    add_path(download, "--output", "folder for SUBSET.json, what was brought")

    plan = commands.add("plan", _plan, "predict time, memory and disk of a study, by arm", STUDY)
    add_study(plan, "--configfile")
    plan.add_argument("--cores", type=int, help="that the jobs share; default this machine's")
    plan.add_argument("--gpus", type=int, help="that they share; default what one job takes")
    plan.add_argument(
        "--gpu-tflops",
        type=float,
        default=0.0,
        metavar="T",
        help="that a GPU reaches in training, where this machine has none: about a third of what"
        " its maker promises for large models, far less for small ones",
    )
    plan.add_argument("--results", type=Path, help="of a run, to compare the prediction with")
    plan.add_argument("--output", type=Path, help="CSV, one row per job")

    commands.add("config", _config, "write what is generated from the settings: docs and schema")


def _check(options: argparse.Namespace) -> None:
    study = load_study(options.study)
    for warning in study.warnings:
        print(f"warning: {warning}")
    for note in study.notes:
        print(f"note: {note}")
    for name, variant in study.variants.items():
        size = parameter_count(variant.model, variant.attention, variant.bottleneck) / 1e6
        conv = variant.model.kind == "conv"
        what = "convolutional" if conv else f"window {variant.attention.window}"
        print(
            f"{name}: {variant.bitrate:.0f} bit/s, {what}, {size:.1f}M parameters"
            f"{', causal' if variant.attention.causal else ''}"
            f"{', pretrained' if variant.pretrained else ''}"
        )


def _download(options: argparse.Namespace) -> None:
    from taae.corpus.archives import ARCHIVES
    from taae.corpus.download import download
    from taae.utils.files import write_json

    wanted = load_study(options.study).download
    if not wanted.subsets:
        raise TaaeError("config: the study downloads nothing: see corpus.librispeech.download")
    for subset in options.subset or wanted.subsets:
        if subset not in ARCHIVES:
            raise TaaeError(f"no subset '{subset}' is published; there are {', '.join(ARCHIVES)}")
        receipt = download(ARCHIVES[subset], wanted.url, Path(wanted.path))
        write_json(receipt, options.output / f"{subset}.json")


def _plan(options: argparse.Namespace) -> None:
    from taae.benchmark.plan import plan

    plan(
        layered(options.study),
        options.cores or os.cpu_count() or 1,
        options.gpus,
        rate=1e12 * options.gpu_tflops,
        results=options.results,
        output=options.output,
    )


def _config(_: argparse.Namespace) -> None:
    from taae.study.describe import generated

    for path, text in generated(Path()).items():
        path.write_text(text, encoding="utf-8")
