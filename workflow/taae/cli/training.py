"""Models, trained here or brought: train, import-stable-codec, copy-model."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from taae.cli.shared import RESUMABLE, Stages, add_checkpoints, add_path, add_study
from taae.study.load import load_study


def add_stages(stages: Stages) -> None:
    """Add the stages of this group, in the order of `--help`."""
    _add_train(stages)
    _add_import_stable_codec(stages)
    _add_copy_model(stages)


def _add_train(stages: Stages) -> None:
    stage = stages.add_parser("train", help="train one variant with one seed")
    add_study(stage)
    stage.add_argument("--variant", required=True)
    stage.add_argument("--seed", type=int, required=True)
    add_path(stage, "--corpus", "folder of the corpus")
    add_path(stage, "--output", "folder of the model")
    add_path(stage, "--state", "folder of the state that an interrupted training goes on from")
    stage.add_argument("--kept", type=Path, help="folder that keeps finished models for a rerun")
    add_checkpoints(stage)
    stage.add_argument(
        "--time-budget",
        type=float,
        default=math.inf,
        metavar="S",
        help=f"seconds after which to save and exit with status {RESUMABLE}; default none",
    )
    stage.set_defaults(call=_train)


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


def _add_import_stable_codec(stages: Stages) -> None:
    stage = stages.add_parser(
        "import-stable-codec", help="a checkpoint of stable-audio-tools -> a model folder"
    )
    add_path(stage, "--config", "its model_config.json")
    add_path(stage, "--checkpoint", ".ckpt or .safetensors")
    stage.add_argument("output", type=Path, metavar="OUT", help="folder that is not there yet")
    stage.set_defaults(call=_import_stable_codec)


def _import_stable_codec(options: argparse.Namespace) -> None:
    from taae.codec.import_stable_codec import import_model

    import_model(options.config, options.checkpoint, options.output)


def _add_copy_model(stages: Stages) -> None:
    stage = stages.add_parser("copy-model", help="a model from elsewhere -> a model of the study")
    stage.add_argument("model", type=Path, help="folder of the model")
    stage.add_argument("output", type=Path, help="folder to copy it to")
    stage.set_defaults(call=_copy_model)


def _copy_model(options: argparse.Namespace) -> None:
    from taae.codec.pretrained import copy_model

    copy_model(options.model, options.output)
