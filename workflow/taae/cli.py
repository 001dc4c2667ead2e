"""`python -m taae STAGE ...`: one subcommand per stage; the workflow's rules call the same.

Each stage imports what it needs when it runs, so that tables and figures need no torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from taae.errors import TaaeError
from taae.metrics import METRICS
from taae.study import Study

RESUMABLE = 75  # exit status of a training that saved its state: run it again (EX_TEMPFAIL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status = options.call(options)
    except TaaeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, no permission: the system's words, without a traceback
        print(f"error: {error}", file=sys.stderr)
        return 1
    return int(status or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taae", description=__doc__.splitlines()[0])
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")

    stage = stages.add_parser("check", help="resolve a study and list its variants")
    _study(stage)
    stage.set_defaults(call=_check)

    stage = stages.add_parser("corpus", help="prepare the corpus: 16 kHz, mono, one loudness")
    _study(stage)
    _path(stage, "--output", "folder of the corpus")
    _jobs(stage)
    stage.set_defaults(call=_corpus)

    stage = stages.add_parser("reference", help="write the test utterances as FLAC files")
    _path(stage, "--corpus", "folder of the corpus")
    _path(stage, "--output", "folder; the files are in its audio/")
    stage.set_defaults(call=_reference)

    stage = stages.add_parser("train", help="train one variant with one seed")
    _study(stage)
    stage.add_argument("--variant", required=True)
    stage.add_argument("--seed", type=int, required=True)
    _path(stage, "--corpus", "folder of the corpus")
    _path(stage, "--output", "folder of the model")
    _path(stage, "--state", "folder of the state that an interrupted training goes on from")
    stage.add_argument(
        "--checkpoint-every", type=float, default=60.0, metavar="S", help="seconds; default 60"
    )
    stage.set_defaults(call=_train)

    stage = stages.add_parser("decode", help="encode and decode the test utterances")
    _study(stage)
    _path(stage, "--model", "folder of the model")
    _path(stage, "--corpus", "folder of the corpus")
    _path(stage, "--output", "folder for audio/, codes.npz and utterances.csv")
    stage.add_argument("--threads", type=int, default=1)
    stage.set_defaults(call=_decode)

    stage = stages.add_parser("score", help="score decoded audio against its reference")
    _path(stage, "--reference", "folder of reference audio")
    _path(stage, "--decoded", "folder of decoded audio; files pair by name without extension")
    _path(stage, "--output", "CSV, one row per utterance and metric")
    stage.add_argument("--metrics", nargs="+", choices=list(METRICS), default=list(METRICS))
    stage.add_argument("--max-failed", type=float, default=0.1, help="share of a metric's values")
    stage.add_argument("--max-seconds", type=float, default=30.0, help="longest for PESQ")
    stage.add_argument("--manifest", type=Path, help="CSV with the columns utterance and speaker")
    for label in ("--run", "--variant", "--split"):
        stage.add_argument(label, default="", help="written to every row")
    stage.add_argument("--seed", type=int, help="written to every row")
    stage.add_argument("--bitrate", type=float, help="bit/s, written to every row")
    _jobs(stage)
    stage.set_defaults(call=_score)

    stage = stages.add_parser("summarise", help="scores of all runs -> tables of the study")
    _study(stage)
    stage.add_argument("--scores", type=Path, nargs="+", required=True, help="CSVs of score")
    _path(stage, "--output", "folder of the tables")
    stage.set_defaults(call=_summarise)

    stage = stages.add_parser("compare", help="compare variants with a reference, paired")
    stage.add_argument("--scores", type=Path, nargs="+", required=True, help="CSVs of score")
    against = stage.add_mutually_exclusive_group(required=True)
    against.add_argument("--study", type=Path, nargs="+", help="every ablation of a study")
    against.add_argument("--baseline", help="every other variant with this one")
    _path(stage, "--output", "CSV")
    stage.set_defaults(call=_compare)

    stage = stages.add_parser("histories", help="training histories of all runs -> one table")
    _path(stage, "--models", "folder that holds VARIANT/seedSEED/history.csv")
    _study(stage)
    _path(stage, "--output", "CSV")
    stage.set_defaults(call=_histories)

    stage = stages.add_parser("spectra", help="spectrograms of one utterance -> one table")
    _path(stage, "--reference", "folder of reference audio")
    _path(stage, "--decoded", "folder that holds VARIANT/seedSEED/audio")
    _study(stage)
    _path(stage, "--output", "NPZ")
    stage.set_defaults(call=_spectra)

    stage = stages.add_parser("plot", help="tables -> figures, PNG and PDF")
    stage.add_argument(
        "figure", choices=["metrics", "forest", "training", "coverage", "spectrograms"]
    )
    stage.add_argument("--ablation", help="which one, for metrics and forest")
    _study(stage)
    _path(stage, "--tables", "folder of the tables")
    _path(stage, "--output", "path of the figure without .png")
    stage.set_defaults(call=_plot)
    return parser


def _study(stage: argparse.ArgumentParser) -> None:
    stage.add_argument(
        "--study",
        type=Path,
        nargs="+",
        default=[Path("config.yaml")],
        help="config files, laid over each other; default config.yaml",
    )


def _path(stage: argparse.ArgumentParser, name: str, help: str) -> None:
    stage.add_argument(name, type=Path, required=True, help=help)


def _jobs(stage: argparse.ArgumentParser) -> None:
    stage.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; default 1")


def _check(options: argparse.Namespace) -> None:
    study = Study.load(options.study)
    for warning in study.warnings:
        print(f"warning: {warning}")
    for name, variant in study.variants.items():
        print(f"{name}: {variant.bitrate:.0f} bit/s, window {variant.attention.window}")


def _corpus(options: argparse.Namespace) -> None:
    from taae.corpus.prepare import prepare

    prepare(Study.load(options.study).corpus, options.output, workers=options.jobs)


def _reference(options: argparse.Namespace) -> None:
    from taae.decoding import write_reference

    write_reference(options.corpus, options.output)


def _train(options: argparse.Namespace) -> int:
    from taae.training.loop import Interrupted, train

    variant = Study.load(options.study).variant(options.variant)
    try:
        train(
            variant,
            options.seed,
            options.corpus,
            options.output,
            options.state,
            options.checkpoint_every,
        )
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return RESUMABLE
    return 0


def _decode(options: argparse.Namespace) -> None:
    from taae.decoding import decode_split

    precision = Study.load(options.study).decoding["precision"]
    decode_split(
        options.model,
        options.corpus,
        options.output,
        precision=precision,
        threads=options.threads,
    )


def _score(options: argparse.Namespace) -> None:
    from taae.files import read_csv
    from taae.scoring.score import score_folders

    speakers = None
    if options.manifest:
        text = ["utterance", "speaker"]
        manifest = read_csv(options.manifest, text, text)
        speakers = dict(zip(manifest["utterance"], manifest["speaker"], strict=True))
    given = {
        name: getattr(options, name) for name in ("run", "variant", "seed", "bitrate", "split")
    }
    score_folders(
        options.reference,
        options.decoded,
        options.output,
        names=options.metrics,
        max_failed=options.max_failed,
        max_seconds=options.max_seconds,
        workers=options.jobs,
        labels={name: value for name, value in given.items() if value not in ("", None)},
        speakers=speakers,
    )


def _summarise(options: argparse.Namespace) -> None:
    from taae.analysis import publish, tables
    from taae.files import write_csv

    study = Study.load(options.study)
    scores = tables.collect(options.scores)
    summary = tables.summary(scores, study)
    write_csv(scores, options.output / "scores.csv")
    write_csv(tables.coverage(study), options.output / "coverage.csv")
    write_csv(tables.failures(scores), options.output / "failures.csv")
    publish.write_summary(summary, options.output)


def _compare(options: argparse.Namespace) -> None:
    from taae.analysis import tables
    from taae.files import write_csv
    from taae.study import default_statistics

    scores = tables.collect(options.scores)
    if options.study:
        table = tables.comparisons(scores, Study.load(options.study))
    else:
        table = tables.compare_against(scores, options.baseline, default_statistics())
    write_csv(table, options.output)


def _histories(options: argparse.Namespace) -> None:
    from taae.analysis.histories import histories
    from taae.files import write_csv

    write_csv(histories(options.models, Study.load(options.study)), options.output)


def _spectra(options: argparse.Namespace) -> None:
    from taae.analysis.spectrograms import write_spectra

    write_spectra(options.reference, options.decoded, Study.load(options.study), options.output)


def _plot(options: argparse.Namespace) -> None:
    from taae.analysis.plot import plot

    plot(
        options.figure,
        Study.load(options.study),
        options.tables,
        options.output,
        ablation=options.ablation,
    )
