"""The corpus, and its test utterances as files: corpus, reference."""

from __future__ import annotations

import argparse
from pathlib import Path

from taae.cli.shared import Stages, add_checkpoints, add_jobs, add_path, add_study
from taae.study.load import load_study


def add_stages(stages: Stages) -> None:
    """Add the stages of this group, in the order of `--help`."""
    _add_corpus(stages)
    _add_reference(stages)


def _add_corpus(stages: Stages) -> None:
    stage = stages.add_parser("corpus", help="prepare the corpus: 16 kHz, mono, one loudness")
    add_study(stage)
    add_path(stage, "--output", "folder of the corpus")
    stage.add_argument("--state", type=Path, help="folder that an interrupted one goes on from")
    add_checkpoints(stage)
    add_jobs(stage)
    stage.set_defaults(call=_corpus)


def _corpus(options: argparse.Namespace) -> None:
    from taae.corpus.prepare import prepare

    prepare(
        load_study(options.study).corpus,
        options.output,
        options.jobs,
        options.state,
        options.checkpoint_every,
    )


def _add_reference(stages: Stages) -> None:
    stage = stages.add_parser("reference", help="write the test utterances as FLAC files")
    add_path(stage, "--corpus", "folder of the corpus")
    add_path(stage, "--output", "folder; the files are in its audio/")
    stage.set_defaults(call=_reference)


def _reference(options: argparse.Namespace) -> None:
    from taae.evaluation.decoded import write_reference

    write_reference(options.corpus, options.output)
