"""The tables of a study from the files of its runs, at their places in the folder of results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from taae.analysis.findings.table import findings
from taae.analysis.findings.wording import markdown
from taae.analysis.run_files import collect, read_table
from taae.analysis.tables import publish, scores
from taae.analysis.tables.bd_rate import COLUMNS as BD_RATES
from taae.analysis.tables.bitrates import bitrate_tables
from taae.analysis.tables.comparisons import COLUMNS
from taae.analysis.tables.differences import difference_tables
from taae.analysis.tables.factorial import COLUMNS as EFFECTS
from taae.analysis.tables.lengths import length_tables
from taae.analysis.tables.recognition import remarks
from taae.analysis.tables.robustness import CONDITION, robustness_tables
from taae.analysis.tables.runs import cost_table, provenance_table, training_table
from taae.analysis.tables.spectra import write_spectra
from taae.analysis.tables.tests import tables_by_test
from taae.codec.operating_points import NATIVE
from taae.evaluation.decoded_files import codec_table
from taae.study.study import Study
from taae.utils.files import write_csv, write_text


def write_table(name: str, study: Study, results: Path) -> None:
    """Write one of `taae.analysis.catalogue.TABLES` from and into the folder of results."""
    tables: dict[str, pd.DataFrame] = {}
    match name:
        case "scores":
            tables = _score_tables(study, results)
        case "comparisons":
            tables = difference_tables(results, study)
        case "findings":
            tables[name] = _findings(study, results / "tables")
        case "bitrates":
            tables = bitrate_tables(results, study)
        case "lengths":
            runs = _runs(study, study.length_arms)
            tables = length_tables([results / "lengths" / f"{run}.csv" for run in runs], study)
        case "robustness":
            tables = robustness_tables(results, study)
        case "cost":
            tables[name] = cost_table(results / "cost", study)
        case "training":
            tables[name] = training_table(results / "models", study)
        case "provenance":
            tables[name] = provenance_table(results / "models", study)
        case "tests":
            tables = tables_by_test(results, study)
        case "spectra":
            write_spectra(results, study)
    for stem, table in tables.items():
        write_csv(table, results / "tables" / f"{stem}.csv")


def _score_tables(study: Study, results: Path) -> dict[str, pd.DataFrame]:
    runs = [f"{run}/{NATIVE}" for run in _runs(study, study.variants)]
    runs += [f"codecs/{codec}" for codec in study.codecs]
    runs += ["ratings"] if study.listening.tests else []
    found = collect(results / "scores" / f"{run}.csv" for run in runs)
    notes = [*study.notes, *remarks(found)]
    publish.write_summary(scores.summary(found, study), results / "tables", notes)
    tables = {"scores": found, "failures": scores.failures(found)}
    tables["coverage"] = scores.coverage(study)
    if study.codecs:
        about = [results / "codecs" / codec / "codec.json" for codec in study.codecs]
        tables["codecs"] = codec_table(about)
    return tables


def _findings(study: Study, folder: Path) -> pd.DataFrame:
    """Return the findings, and write them in words."""
    compared = read_table(folder / "comparisons.csv", COLUMNS)
    crossed = read_table(folder / "factorial.csv", EFFECTS)
    points, bd_rates = pd.DataFrame(columns=["point", "same_as", *COLUMNS]), None
    if study.probed():
        points = read_table(folder / "points.csv", [*points.columns])
        bd_rates = read_table(folder / "bd-rate.csv", BD_RATES)
    tests = pd.DataFrame(columns=["test", *COLUMNS])
    if study.tests:
        tests = read_table(folder / "tests-comparisons.csv", [*tests.columns])
    hard = pd.DataFrame(columns=[*CONDITION, *COLUMNS])
    if study.robustness_arms:
        path = folder / "robustness-comparisons.csv"
        hard = read_table(path, [*hard.columns])
    found = findings(compared, points, crossed, study, tests, hard)
    write_text(markdown(found, study, bd_rates), folder / "findings.md")
    return found


def _runs(study: Study, variants: Iterable[str]) -> list[str]:
    return [f"{name}/seed{seed}" for name in variants for seed in study.seeds_of(name)]
