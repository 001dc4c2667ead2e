"""From scores and measurements to tables, and to figures."""

from __future__ import annotations

import argparse
from pathlib import Path

from taae.analysis.tables.write import WRITERS, write_scores, write_table
from taae.cli.shared import AUDIO, MEASURE, Commands, add_hardware, add_path, add_study, add_threads
from taae.study.load import load_study
from taae.utils.gpus import compute


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    compare = commands.add("compare", _compare, "compare variants with a reference, paired", AUDIO)
    compare.add_argument("--scores", type=Path, nargs="+", required=True, help="CSVs of score")
    against = compare.add_mutually_exclusive_group(required=True)
    against.add_argument("--study", type=Path, nargs="+", help="every ablation of a study")
    against.add_argument("--baseline", help="every other variant with this one")
    add_path(compare, "--output", "CSV")

    lengths = commands.add("lengths", _lengths, "score the test speech recut to other lengths")
    add_study(lengths)
    lengths.add_argument("--variant", required=True)
    lengths.add_argument("--seed", type=int, required=True)
    add_path(lengths, "--model", "folder of the model")
    add_path(lengths, "--corpus", "folder of the corpus")
    add_path(lengths, "--output", "CSV, one row per length, speaker and metric")
    add_hardware(lengths)

    cost = commands.add("cost", _cost, "latency, time and memory of a model", MEASURE)
    add_path(cost, "--model", "folder of the model")
    add_path(cost, "--output", "JSON")
    add_threads(cost)

    table = commands.add("table", _table, "files of all runs -> tables of the study")
    table.add_argument("names", nargs="+", choices=WRITERS, metavar="NAME", help=", ".join(WRITERS))
    table.add_argument(
        "--scores", type=Path, nargs="+", default=[], help="CSVs of score; default: of all runs"
    )
    plot = commands.add("plot", _plot, "tables of the study -> figures, PNG and PDF")
    plot.add_argument(
        "names", nargs="*", metavar="NAME", help="such as cost or window/forest; default: all"
    )
    for command in (table, plot):
        add_study(command)
        command.add_argument(
            "--results", type=Path, default=Path("results"), help="folder of all; default results"
        )


def _compare(options: argparse.Namespace) -> None:
    from taae.analysis.score_files import collect
    from taae.analysis.tables import scores as tables
    from taae.study.config import Statistics
    from taae.utils.files import write_csv

    scores = collect(options.scores)
    if options.study:
        table = tables.comparisons(scores, load_study(options.study))
    else:
        table = tables.compare_against(scores, options.baseline, Statistics())
    write_csv(table, options.output)


def _lengths(options: argparse.Namespace) -> None:
    from taae.evaluation.lengths import score_lengths

    study = load_study(options.study)
    with compute(options.gpus) as device:
        score_lengths(
            options.model,
            options.corpus,
            study.lengths.seconds,
            options.output,
            names=study.lengths.metrics,
            max_seconds=study.metrics.max_seconds,
            labels={
                "run": f"{options.variant}/seed{options.seed}",
                "variant": options.variant,
                "seed": options.seed,
                "bitrate": study.variant(options.variant).bitrate,
                "split": "test",
            },
            precision=study.decoding.precision,
            threads=options.threads,
            device=device,
        )


def _cost(options: argparse.Namespace) -> None:
    from taae.evaluation.cost import measure
    from taae.utils.files import write_json

    write_json(measure(options.model, options.threads), options.output)


def _table(options: argparse.Namespace) -> None:
    study = load_study(options.study)
    for name in options.names:
        if name == "scores":
            write_scores(study, options.results, options.scores)
        else:
            write_table(name, study, options.results)


def _plot(options: argparse.Namespace) -> None:
    from taae.analysis.figures.draw import plot

    results = options.results
    plot(load_study(options.study), results / "tables", results / "figures", options.names)
