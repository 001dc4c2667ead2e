"""What several stages share: options, and statuses that they exit with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from taae.codec.operating_points import NATIVE, PRESETS

# What `add_subparsers` returns; argparse has no public name for it.
Stages: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

INTERRUPTED = 130  # exit status after Ctrl-C, as in a shell
RESUMABLE = 75  # exit status of a training that saved its state: run it again (EX_TEMPFAIL)


def add_study(stage: argparse.ArgumentParser, *aliases: str) -> None:
    """Add `--study`, the config files, also by other names."""
    stage.add_argument(
        "--study",
        *aliases,
        type=Path,
        nargs="+",
        default=[Path("config.yaml")],
        help="config files, laid over each other; default config.yaml",
    )


def add_path(stage: argparse.ArgumentParser, name: str, help: str) -> None:
    """Add a path that must be given."""
    stage.add_argument(name, type=Path, required=True, help=help)


def add_point(stage: argparse.ArgumentParser) -> None:
    """Add `--point`, an operating point of a model."""
    stage.add_argument(
        "--point",
        default=NATIVE,
        metavar="POINT",
        help=f"{NATIVE}, {', '.join(PRESETS)}, or stages LEVELS@SCALE+...; default {NATIVE}",
    )


def add_hardware(stage: argparse.ArgumentParser) -> None:
    """Add `--threads` and `--gpus`: what to compute on."""
    add_threads(stage)
    stage.add_argument("--gpus", type=int, default=0, choices=[0, 1], help="default 0: the CPU")


def add_threads(stage: argparse.ArgumentParser) -> None:
    """Add `--threads`, of a stage that computes on the CPU."""
    stage.add_argument("--threads", type=int, default=1, help="CPU threads; default 1")


def add_jobs(stage: argparse.ArgumentParser) -> None:
    """Add `--jobs`, processes beside each other."""
    stage.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; default 1")


def add_checkpoints(stage: argparse.ArgumentParser) -> None:
    """Add `--checkpoint-every`, of a stage that an interruption does not set back."""
    stage.add_argument(
        "--checkpoint-every",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds between saved states; default 60",
    )
