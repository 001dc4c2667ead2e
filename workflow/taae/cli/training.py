"""Models, trained here or brought: train, import-stable-codec, copy-model."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from taae.cli.shared import CODEC, RESUMABLE, Commands, add_checkpoints, add_path, add_study
from taae.study.load import load_study


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    train = commands.add("train", _train, "train one variant with one seed", CODEC)
    add_study(train)
    train.add_argument("--variant", required=True)
    train.add_argument("--seed", type=int, required=True)
    add_path(train, "--corpus", "folder of the corpus")
    add_path(train, "--output", "folder of the model")
    add_path(train, "--state", "folder of the state that an interrupted training goes on from")
    train.add_argument("--kept", type=Path, help="folder that keeps finished models for a rerun")
    add_checkpoints(train)
    train.add_argument(
        "--time-budget",
        type=float,
        default=math.inf,
        metavar="S",
        help=f"seconds after which to save and exit with status {RESUMABLE}; default none",
    )

    stable = commands.add(
        "import-stable-codec",
        _import_stable_codec,
        "a checkpoint of stable-audio-tools -> a model folder",
        CODEC,
    )
    add_path(stable, "--config", "its model_config.json")
    add_path(stable, "--checkpoint", ".ckpt or .safetensors")
    stable.add_argument("output", type=Path, metavar="OUT", help="folder that is not there yet")

    copy_model = commands.add(
        "copy-model", _copy_model, "a model from elsewhere -> a model of the study"
    )
    copy_model.add_argument("model", type=Path, help="folder of the model")
    copy_model.add_argument("output", type=Path, help="folder to copy it to")


def _train(options: argparse.Namespace) -> int:
    from taae.training.launch import launch
    from taae.training.train import Interrupted

    variant = load_study(options.study).variant(options.variant)
    try:
        launch(
            variant,
            options.seed,
            options.corpus,
            options.output,
            options.state,
            options.checkpoint_every,
            options.time_budget,
            options.kept,
        )
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return RESUMABLE
    return 0


def _import_stable_codec(options: argparse.Namespace) -> None:
    from taae.codec.import_stable_codec import import_model

    import_model(options.config, options.checkpoint, options.output)


def _copy_model(options: argparse.Namespace) -> None:
    from taae.codec.pretrained import copy_model

    copy_model(options.model, options.output)
