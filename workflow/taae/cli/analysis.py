"""From scores and measurements to tables, and to figures: summarise to plot."""

from __future__ import annotations

import argparse
from pathlib import Path

from taae.cli.shared import AUDIO, MEASURE, Commands, add_hardware, add_path, add_study, add_threads
from taae.study.load import load_study
from taae.utils.gpus import compute

FIGURES = [
    *["metrics", "forest", "training", "coverage", "spectrograms"],
    *["rate-distortion", "codebook", "lengths", "scatter", "distributions", "cost"],
]


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    summarise = commands.add("summarise", _summarise, "scores of all runs -> tables of the study")
    add_study(summarise)
    summarise.add_argument("--scores", type=Path, nargs="+", required=True, help="CSVs of score")
    summarise.add_argument("--codecs", type=Path, nargs="+", help="codec.json of each other codec")
    add_path(summarise, "--output", "folder of the tables")

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

    length_table = commands.add("length-table", _length_table, "scores at all lengths -> one table")
    add_study(length_table)
    length_table.add_argument(
        "--scores", type=Path, nargs="+", required=True, help="CSVs of lengths"
    )
    add_path(length_table, "--output", "CSV")

    cost = commands.add("cost", _cost, "latency, time and memory of a model", MEASURE)
    add_path(cost, "--model", "folder of the model")
    add_path(cost, "--output", "JSON")
    add_threads(cost)

    cost_table = commands.add("cost-table", _cost_table, "costs of all models -> one table")
    add_study(cost_table)
    add_path(cost_table, "--costs", "folder that holds VARIANT.json")
    add_path(cost_table, "--output", "CSV")

    bitrate_tables = commands.add(
        "bitrate-tables", _bitrate_tables, "operating points of all runs -> tables"
    )
    add_study(bitrate_tables)
    add_path(bitrate_tables, "--scores", "folder that holds VARIANT/seedSEED/POINT.csv")
    add_path(bitrate_tables, "--probes", "folder that holds VARIANT/seedSEED/POINT, of rates")
    add_path(bitrate_tables, "--output", "folder of the tables")

    histories = commands.add("histories", _histories, "training histories of all runs -> one table")
    add_path(histories, "--models", "folder that holds VARIANT/seedSEED/history.csv")
    add_study(histories)
    add_path(histories, "--output", "CSV")

    provenance = commands.add("provenance", _provenance, "where all models come from -> one table")
    add_path(provenance, "--models", "folder that holds VARIANT/seedSEED/provenance.json")
    add_study(provenance)
    add_path(provenance, "--output", "CSV")

    spectra = commands.add("spectra", _spectra, "spectrograms of one utterance -> one table")
    add_path(spectra, "--reference", "folder of reference audio")
    add_path(spectra, "--decoded", "folder that holds VARIANT/seedSEED/native/audio")
    add_study(spectra)
    add_path(spectra, "--output", "NPZ")

    plot = commands.add("plot", _plot, "tables -> figures, PNG and PDF")
    plot.add_argument("figure", choices=FIGURES)
    plot.add_argument("--ablation", help="which one, for metrics, forest and scatter")
    add_study(plot)
    add_path(plot, "--tables", "folder of the tables")
    add_path(plot, "--output", "path of the figure without .png")


def _summarise(options: argparse.Namespace) -> None:
    from taae.analysis.tables import publish
    from taae.analysis.tables import scores as tables
    from taae.evaluation.other_codecs.description import codec_table
    from taae.utils.files import write_csv

    study = load_study(options.study)
    scores = tables.collect(options.scores)
    summary = tables.summary(scores, study)
    write_csv(scores, options.output / "scores.csv")
    write_csv(tables.coverage(study), options.output / "coverage.csv")
    write_csv(tables.failures(scores), options.output / "failures.csv")
    publish.write_summary(summary, options.output, study.notes)
    if options.codecs:
        write_csv(codec_table(options.codecs), options.output / "codecs.csv")


def _compare(options: argparse.Namespace) -> None:
    from taae.analysis.tables import scores as tables
    from taae.study.config import Statistics
    from taae.utils.files import write_csv

    scores = tables.collect(options.scores)
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


def _length_table(options: argparse.Namespace) -> None:
    from taae.analysis.tables.lengths import length_summary
    from taae.utils.files import write_csv

    write_csv(length_summary(options.scores, load_study(options.study)), options.output)


def _cost(options: argparse.Namespace) -> None:
    from taae.evaluation.cost import measure
    from taae.utils.files import write_json

    write_json(measure(options.model, options.threads), options.output)


def _cost_table(options: argparse.Namespace) -> None:
    from taae.analysis.tables.cost import cost_table
    from taae.utils.files import write_csv

    write_csv(cost_table(options.costs, load_study(options.study)), options.output)


def _bitrate_tables(options: argparse.Namespace) -> None:
    from taae.analysis.tables import bitrates
    from taae.utils.files import write_csv

    study, output = load_study(options.study), options.output
    write_csv(bitrates.rate_distortion(options.scores, study), output / "rate-distortion.csv")
    write_csv(bitrates.bitrates(options.probes, study), output / "bitrates.csv")
    write_csv(bitrates.precision(options.probes, study), output / "precision.csv")
    for name in ("codebook", "histogram"):
        write_csv(bitrates.probes(options.probes, name, study), output / f"{name}.csv")


def _histories(options: argparse.Namespace) -> None:
    from taae.analysis.tables.histories import histories
    from taae.utils.files import write_csv

    write_csv(histories(options.models, load_study(options.study)), options.output)


def _provenance(options: argparse.Namespace) -> None:
    from taae.analysis.tables.models import provenance_table
    from taae.utils.files import write_csv

    write_csv(provenance_table(options.models, load_study(options.study)), options.output)


def _spectra(options: argparse.Namespace) -> None:
    from taae.analysis.tables.spectra import write_spectra

    write_spectra(options.reference, options.decoded, load_study(options.study), options.output)


def _plot(options: argparse.Namespace) -> None:
    from taae.analysis.figures.draw import plot

    plot(
        options.figure,
        load_study(options.study),
        options.tables,
        options.output,
        ablation=options.ablation,
    )
