"""From scores and measurements to tables, and to figures: summarise to plot."""

from __future__ import annotations

import argparse
from pathlib import Path

from taae.cli.shared import Stages, add_hardware, add_path, add_study, add_threads
from taae.study.load import load_study
from taae.utils.gpus import compute

FIGURES = [
    *["metrics", "forest", "training", "coverage", "spectrograms"],
    *["rate-distortion", "codebook", "lengths", "scatter", "distributions", "cost"],
]


def add_stages(stages: Stages) -> None:
    """Add the stages of this group, in the order of `--help`."""
    _add_summarise(stages)
    _add_compare(stages)
    _add_lengths(stages)
    _add_length_table(stages)
    _add_cost(stages)
    _add_cost_table(stages)
    _add_bitrate_tables(stages)
    _add_histories(stages)
    _add_provenance(stages)
    _add_spectra(stages)
    _add_plot(stages)


def _add_summarise(stages: Stages) -> None:
    stage = stages.add_parser("summarise", help="scores of all runs -> tables of the study")
    add_study(stage)
    stage.add_argument("--scores", type=Path, nargs="+", required=True, help="CSVs of score")
    stage.add_argument("--codecs", type=Path, nargs="+", help="codec.json of each other codec")
    add_path(stage, "--output", "folder of the tables")
    stage.set_defaults(call=_summarise)


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


def _add_compare(stages: Stages) -> None:
    stage = stages.add_parser("compare", help="compare variants with a reference, paired")
    stage.add_argument("--scores", type=Path, nargs="+", required=True, help="CSVs of score")
    against = stage.add_mutually_exclusive_group(required=True)
    against.add_argument("--study", type=Path, nargs="+", help="every ablation of a study")
    against.add_argument("--baseline", help="every other variant with this one")
    add_path(stage, "--output", "CSV")
    stage.set_defaults(call=_compare)


def _compare(options: argparse.Namespace) -> None:
    from taae.analysis.tables import scores as tables
    from taae.study.load import default_statistics
    from taae.utils.files import write_csv

    scores = tables.collect(options.scores)
    if options.study:
        table = tables.comparisons(scores, load_study(options.study))
    else:
        table = tables.compare_against(scores, options.baseline, default_statistics())
    write_csv(table, options.output)


def _add_lengths(stages: Stages) -> None:
    stage = stages.add_parser("lengths", help="score the test speech recut to other lengths")
    add_study(stage)
    stage.add_argument("--variant", required=True)
    stage.add_argument("--seed", type=int, required=True)
    add_path(stage, "--model", "folder of the model")
    add_path(stage, "--corpus", "folder of the corpus")
    add_path(stage, "--output", "CSV, one row per length, speaker and metric")
    add_hardware(stage)
    stage.set_defaults(call=_lengths)


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
            precision=study.decoding["precision"],
            threads=options.threads,
            device=device,
        )


def _add_length_table(stages: Stages) -> None:
    stage = stages.add_parser("length-table", help="scores at all lengths -> one table")
    add_study(stage)
    stage.add_argument("--scores", type=Path, nargs="+", required=True, help="CSVs of lengths")
    add_path(stage, "--output", "CSV")
    stage.set_defaults(call=_length_table)


def _length_table(options: argparse.Namespace) -> None:
    from taae.analysis.tables.lengths import length_summary
    from taae.utils.files import write_csv

    write_csv(length_summary(options.scores, load_study(options.study)), options.output)


def _add_cost(stages: Stages) -> None:
    stage = stages.add_parser("cost", help="latency, time and memory of a model")
    add_path(stage, "--model", "folder of the model")
    add_path(stage, "--output", "JSON")
    add_threads(stage)
    stage.set_defaults(call=_cost)


def _cost(options: argparse.Namespace) -> None:
    from taae.evaluation.cost import measure
    from taae.utils.files import write_json

    write_json(measure(options.model, options.threads), options.output)


def _add_cost_table(stages: Stages) -> None:
    stage = stages.add_parser("cost-table", help="costs of all models -> one table")
    add_study(stage)
    add_path(stage, "--costs", "folder that holds VARIANT.json")
    add_path(stage, "--output", "CSV")
    stage.set_defaults(call=_cost_table)


def _cost_table(options: argparse.Namespace) -> None:
    from taae.analysis.tables.cost import cost_table
    from taae.utils.files import write_csv

    write_csv(cost_table(options.costs, load_study(options.study)), options.output)


def _add_bitrate_tables(stages: Stages) -> None:
    stage = stages.add_parser("bitrate-tables", help="operating points of all runs -> tables")
    add_study(stage)
    add_path(stage, "--scores", "folder that holds VARIANT/seedSEED/POINT.csv")
    add_path(stage, "--probes", "folder that holds VARIANT/seedSEED/POINT, of rates")
    add_path(stage, "--output", "folder of the tables")
    stage.set_defaults(call=_bitrate_tables)


def _bitrate_tables(options: argparse.Namespace) -> None:
    from taae.analysis.tables import bitrates
    from taae.utils.files import write_csv

    study, output = load_study(options.study), options.output
    write_csv(bitrates.rate_distortion(options.scores, study), output / "rate-distortion.csv")
    write_csv(bitrates.bitrates(options.probes, study), output / "bitrates.csv")
    write_csv(bitrates.precision(options.probes, study), output / "precision.csv")
    for name in ("codebook", "histogram"):
        write_csv(bitrates.probes(options.probes, name, study), output / f"{name}.csv")


def _add_histories(stages: Stages) -> None:
    stage = stages.add_parser("histories", help="training histories of all runs -> one table")
    add_path(stage, "--models", "folder that holds VARIANT/seedSEED/history.csv")
    add_study(stage)
    add_path(stage, "--output", "CSV")
    stage.set_defaults(call=_histories)


def _histories(options: argparse.Namespace) -> None:
    from taae.analysis.tables.histories import histories
    from taae.utils.files import write_csv

    write_csv(histories(options.models, load_study(options.study)), options.output)


def _add_provenance(stages: Stages) -> None:
    stage = stages.add_parser("provenance", help="where all models come from -> one table")
    add_path(stage, "--models", "folder that holds VARIANT/seedSEED/provenance.json")
    add_study(stage)
    add_path(stage, "--output", "CSV")
    stage.set_defaults(call=_provenance)


def _provenance(options: argparse.Namespace) -> None:
    from taae.analysis.tables.models import provenance_table
    from taae.utils.files import write_csv

    write_csv(provenance_table(options.models, load_study(options.study)), options.output)


def _add_spectra(stages: Stages) -> None:
    stage = stages.add_parser("spectra", help="spectrograms of one utterance -> one table")
    add_path(stage, "--reference", "folder of reference audio")
    add_path(stage, "--decoded", "folder that holds VARIANT/seedSEED/native/audio")
    add_study(stage)
    add_path(stage, "--output", "NPZ")
    stage.set_defaults(call=_spectra)


def _spectra(options: argparse.Namespace) -> None:
    from taae.analysis.tables.spectra import write_spectra

    write_spectra(options.reference, options.decoded, load_study(options.study), options.output)


def _add_plot(stages: Stages) -> None:
    stage = stages.add_parser("plot", help="tables -> figures, PNG and PDF")
    stage.add_argument("figure", choices=FIGURES)
    stage.add_argument("--ablation", help="which one, for metrics, forest and scatter")
    add_study(stage)
    add_path(stage, "--tables", "folder of the tables")
    add_path(stage, "--output", "path of the figure without .png")
    stage.set_defaults(call=_plot)


def _plot(options: argparse.Namespace) -> None:
    from taae.analysis.figures.draw import plot

    plot(
        options.figure,
        load_study(options.study),
        options.tables,
        options.output,
        ablation=options.ablation,
    )
