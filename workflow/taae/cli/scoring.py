"""Scores of decoded speech: mosnet, score."""

from __future__ import annotations

import argparse
from pathlib import Path

from taae.cli.shared import AUDIO, Commands, add_jobs, add_path
from taae.evaluation.metrics import MAX_TRIM, METRICS


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    mosnet = commands.add("mosnet", _mosnet, "fetch MOSNet's published weights and check them")
    mosnet.add_argument("--weights", required=True, help="path or https URL of cnn_blstm.h5")
    add_path(mosnet, "--output", "file")

    score = commands.add("score", _score, "score decoded audio against its reference", AUDIO)
    add_path(score, "--reference", "folder of reference audio")
    add_path(score, "--decoded", "folder of decoded audio; files pair by name without extension")
    add_path(score, "--output", "CSV, one row per utterance and metric")
    score.add_argument("--metrics", nargs="+", choices=list(METRICS), default=list(METRICS))
    score.add_argument("--max-failed", type=float, default=0.1, help="share of a metric's values")
    score.add_argument("--max-seconds", type=float, default=30.0, help="longest for PESQ")
    score.add_argument(
        "--max-trim", type=int, default=MAX_TRIM, metavar="N",
        help=f"samples that lengths may differ by, a hop of the codec; default {MAX_TRIM}",
    )  # fmt: skip
    score.add_argument("--manifest", type=Path, help="CSV with the columns utterance and speaker")
    for label in ("--run", "--variant"):
        score.add_argument(label, default="", help="of every row; default: name of DECODED")
    score.add_argument("--split", default="", help="written to every row")
    score.add_argument("--seed", type=int, default=0, help="written to every row; default 0")
    score.add_argument("--bitrate", type=float, help="bit/s, written to every row")
    score.add_argument(
        "--codec-json", type=Path, help="codec.json: bitrate, or that it is not installed"
    )
    score.add_argument("--mosnet-weights", type=Path, help="cnn_blstm.h5; else mosnet is left out")
    score.add_argument("--cache", type=Path, metavar="FILE", help="keeps values for the next call")
    add_jobs(score)


def _mosnet(options: argparse.Namespace) -> None:
    from taae.evaluation.scoring.mosnet_weights import fetch_weights

    fetch_weights(options.weights, options.output)


def _score(options: argparse.Namespace) -> None:
    from taae.evaluation.other_codecs.description import NOT_INSTALLED, read_about
    from taae.evaluation.scoring.pairing import read_speakers
    from taae.evaluation.scoring.score import score_absent, score_folders

    speakers = read_speakers(options.manifest) if options.manifest else None
    given = {
        name: getattr(options, name) for name in ("run", "variant", "seed", "bitrate", "split")
    }
    labels = {name: value for name, value in given.items() if value not in ("", None)}
    common = {
        "names": options.metrics,
        "speakers": speakers,
        "mosnet_weights": options.mosnet_weights,
    }
    if options.codec_json:
        about = read_about(options.codec_json)
        if about["status"] == NOT_INSTALLED:
            score_absent(
                options.reference,
                options.decoded,
                options.output,
                message=about["message"],
                labels=labels,
                **common,
            )
            return
        labels["bitrate"] = about["bitrate"]
    score_folders(
        options.reference,
        options.decoded,
        options.output,
        max_failed=options.max_failed,
        max_seconds=options.max_seconds,
        max_trim=options.max_trim,
        workers=options.jobs,
        labels=labels,
        cache=options.cache,
        **common,
    )
