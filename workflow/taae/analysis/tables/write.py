"""Each table of a study from the files of its runs, at their places in the folder of results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from taae.codec.operating_points import NATIVE
from taae.study.study import Study
from taae.utils.files import write_csv


def _scores(study: Study, results: Path) -> None:
    from taae.analysis.score_files import collect
    from taae.analysis.tables import publish, scores
    from taae.evaluation.decoded_files import codec_table

    runs = [f"{run}/{NATIVE}" for run in _runs(study, study.variants)]
    runs += [f"codecs/{codec}" for codec in study.codecs]
    found = collect([results / "scores" / f"{run}.csv" for run in runs])
    write_csv(found, results / "tables" / "scores.csv")
    write_csv(scores.coverage(study), results / "tables" / "coverage.csv")
    write_csv(scores.failures(found), results / "tables" / "failures.csv")
    publish.write_summary(scores.summary(found, study), results / "tables", study.notes)
    codecs = [name for name in found["variant"].unique() if name in study.codecs]
    if codecs:
        about = [results / "codecs" / codec / "codec.json" for codec in codecs]
        write_csv(codec_table(about), results / "tables" / "codecs.csv")


def _runs(study: Study, variants: Iterable[str]) -> list[str]:
    return [f"{name}/seed{seed}" for name in variants for seed in study.seeds_of(name)]


def _comparisons(study: Study, results: Path) -> None:
    from taae.analysis.score_files import collect
    from taae.analysis.tables.scores import comparisons

    found = collect([results / "tables" / "scores.csv"])
    write_csv(comparisons(found, study), results / "tables" / "comparisons.csv")


def _bitrates(study: Study, results: Path) -> None:
    from taae.analysis.tables import bitrates

    probes = results / "bitrates"
    write_csv(
        bitrates.rate_distortion(results / "scores", study),
        results / "tables" / "rate-distortion.csv",
    )
    write_csv(bitrates.bitrates(probes, study), results / "tables" / "bitrates.csv")
    write_csv(bitrates.precision(probes, study), results / "tables" / "precision.csv")
    for name in ("codebook", "histogram"):
        write_csv(bitrates.probes(probes, name, study), results / "tables" / f"{name}.csv")


def _lengths(study: Study, results: Path) -> None:
    from taae.analysis.tables.lengths import length_summary

    paths = [results / "lengths" / f"{run}.csv" for run in _runs(study, study.length_arms)]
    write_csv(length_summary(paths, study), results / "tables" / "lengths.csv")


def _cost(study: Study, results: Path) -> None:
    from taae.analysis.tables.runs import cost_table

    write_csv(cost_table(results / "cost", study), results / "tables" / "cost.csv")


def _training(study: Study, results: Path) -> None:
    from taae.analysis.tables.runs import histories

    write_csv(histories(results / "models", study), results / "tables" / "training.csv")


def _provenance(study: Study, results: Path) -> None:
    from taae.analysis.tables.runs import provenance_table

    write_csv(provenance_table(results / "models", study), results / "tables" / "provenance.csv")


def _spectra(study: Study, results: Path) -> None:
    from taae.analysis.tables.spectra import write_spectra

    write_spectra(
        results / "reference" / "audio",
        results / "decoded",
        study,
        results / "tables" / "spectra.npz",
    )


WRITERS = {
    "scores": _scores,
    "comparisons": _comparisons,
    "bitrates": _bitrates,
    "lengths": _lengths,
    "cost": _cost,
    "training": _training,
    "provenance": _provenance,
    "spectra": _spectra,
}
