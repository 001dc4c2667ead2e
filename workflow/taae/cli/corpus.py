"""The corpus, and its test utterances as files: corpus, reference."""

from __future__ import annotations

import argparse
from pathlib import Path

from taae.cli.shared import Commands, add_checkpoints, add_jobs, add_path, add_study
from taae.study.load import load_study


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    corpus = commands.add("corpus", _corpus, "prepare the corpus: 16 kHz, mono, one loudness")
    add_study(corpus)
    add_path(corpus, "--output", "folder of the corpus")
    corpus.add_argument("--state", type=Path, help="folder that an interrupted one goes on from")
    add_checkpoints(corpus)
    add_jobs(corpus)

    reference = commands.add("reference", _reference, "write the test utterances as FLAC files")
    add_path(reference, "--corpus", "folder of the corpus")
    add_path(reference, "--output", "folder; the files are in its audio/")


def _corpus(options: argparse.Namespace) -> None:
    from taae.corpus.prepare import prepare

    prepare(
        load_study(options.study).corpus,
        options.output,
        options.jobs,
        options.state,
        options.checkpoint_every,
    )


def _reference(options: argparse.Namespace) -> None:
    from taae.evaluation.decoded import write_reference

    write_reference(options.corpus, options.output)
