"""From scores and measurements to tables, and to figures."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from taae.analysis.catalogue import TABLES
from taae.cli.shared import (
    AUDIO,
    MEASURE,
    STUDY,
    Corpus,
    Gpus,
    Model,
    Study,
    Threads,
    among,
    command,
)
from taae.codec.operating_points import NATIVE
from taae.study.load import DEMO, load_study
from taae.study.study import Study as Resolved
from taae.utils.errors import TaaeError
from taae.utils.gpus import compute
from taae.utils.options import Count, Whole

if TYPE_CHECKING:
    from taae.evaluation.scoring.score import Scoring

Results = Annotated[Path, Parameter(help="folder of all results")]
RESULTS = Path("results")


@command(AUDIO)
def compare(
    *,
    scores: list[Path],
    output: Path,
    study: Study | None = None,
    baseline: str | None = None,
) -> None:
    """Compare variants with a reference, paired.

    Args:
        scores: CSVs of `taae score`.
        output: CSV.
        study: every ablation of a study, or
        baseline: every other variant with this one.
    """
    from taae.analysis.run_files import collect
    from taae.analysis.tables.comparisons import compare_against, comparisons
    from taae.study.config import Statistics
    from taae.utils.files import write_csv

    if (study is None) == (baseline is None):
        raise TaaeError("compare: give either --study or --baseline")
    table = collect(scores)
    if study:
        write_csv(comparisons(table, load_study(study)), output)
    else:
        write_csv(compare_against(table, str(baseline), Statistics()), output)


@command(STUDY)
def power(
    *,
    comparisons: Path = RESULTS / "tables" / "comparisons.csv",
    study: Study = DEMO,
    speakers: list[Count] = [12, 24, 48],  # noqa: B006 (never changed)
    seeds: list[Count] = [1, 3, 5],  # noqa: B006
    output: Path | None = None,
) -> None:
    """Say what a study could show with so many speakers and seeds, from a pilot.

    Args:
        comparisons: table of the pilot.
        study: the pilot.
        speakers: numbers of test speakers.
        seeds: numbers of trainings per arm.
        output: CSV; by itself a table is printed.
    """
    from taae.analysis.findings.power import power_table
    from taae.analysis.run_files import read_table
    from taae.analysis.tables.comparisons import COLUMNS
    from taae.utils.files import write_csv

    table = power_table(read_table(comparisons, COLUMNS), load_study(study), speakers, seeds)
    if output:
        write_csv(table, output)
    else:
        print(table.to_markdown(index=False, floatfmt=".3g"))


def _scoring(study: Resolved, names: Sequence[str]) -> Scoring:
    """Return how speech under other conditions is scored: what it lacks is told by its rows."""
    from taae.evaluation.scoring.score import Scoring

    settings = study.metrics
    return Scoring(names, 1.0, settings.max_seconds, speaker=settings.speaker)


@command()
def lengths(
    *,
    variant: str,
    seed: Whole,
    model: Model,
    corpus: Corpus,
    output: Path,
    study: Study = DEMO,
    threads: Threads = 1,
    gpus: Gpus = 0,
) -> None:
    """Score the test speech decoded in pieces of other lengths.

    Args:
        output: CSV, one row per length, piece and metric.
    """
    from taae.evaluation.decode import load_coder
    from taae.evaluation.lengths import score_lengths

    resolved = load_study(study)
    with compute(gpus) as device:
        score_lengths(
            load_coder(model, NATIVE, resolved.decoding.precision, threads, device),
            corpus,
            resolved.lengths.seconds,
            output,
            _scoring(resolved, resolved.lengths.metrics),
            home=resolved.home_length(variant),
            labels=resolved.run_labels(variant, seed),
        )


@command()
def robustness(
    *,
    variant: str,
    seed: Whole,
    model: Model,
    corpus: Corpus,
    output: Path,
    study: Study = DEMO,
    threads: Threads = 1,
    gpus: Gpus = 0,
) -> None:
    """Score the test speech under hard conditions.

    Args:
        output: CSV, one row per condition, utterance and metric; levels of silence go beside it.
    """
    from taae.evaluation.decode import load_halves
    from taae.evaluation.robustness.run import score_robustness

    resolved = load_study(study)
    with compute(gpus) as device:
        score_robustness(
            load_halves(model, NATIVE, resolved.decoding.precision, threads, device),
            corpus,
            resolved.robustness,
            output,
            _scoring(resolved, resolved.robustness.metrics),
            resolved.run_labels(variant, seed),
        )


@command(MEASURE)
def cost(*, models: list[Path], output: Path, threads: Threads = 1) -> None:
    """Measure latency, time and memory of models, which take turns.

    Args:
        models: their folders.
        output: JSON, by the last two parts of each folder's path.
    """
    from taae.evaluation.cost import measure
    from taae.utils.files import write_json

    write_json(measure(models, threads), output)


@command()
def table(
    names: Annotated[list[str], among(TABLES)],
    /,
    *,
    study: Study = DEMO,
    results: Results = RESULTS,
) -> None:
    """Write tables of the study from the files of all runs.

    Args:
        names: of tables.
    """
    from taae.analysis.write import write_table

    resolved = load_study(study)
    for name in names:
        write_table(name, resolved, results)


@command()
def plot(
    names: list[str] | None = None, /, *, study: Study = DEMO, results: Results = RESULTS
) -> None:
    """Draw figures, PNG and PDF, from the tables of the study.

    Args:
        names: such as cost or window/forest; by itself all.
    """
    from taae.analysis.figures.draw import plot

    # A figure is very many objects that die together: Python need not look for them so often.
    gc.set_threshold(500_000)
    plot(load_study(study), results / "tables", results / "figures", names or [])


@command(STUDY)
def write_up(*, template: Path, tables: Path = RESULTS / "tables", output: Path) -> None:
    """Fill in the numbers of a report from the tables of a study.

    In the template, `number("comparisons", "difference", 3, variant="window-32", metric="si_sdr")`
    is a cell with three digits, `change` a difference with its interval; docs/study.md has more.

    Args:
        template: text with Jinja's {{ expressions }}.
        tables: folder of CSVs, with subfolders.
        output: the text with its numbers.
    """
    from taae.analysis.write_up import write_up as filled
    from taae.utils.files import write_text

    write_text(filled(template, tables), output)


@command(STUDY)
def page(*, study: Study = DEMO, results: Results = RESULTS) -> None:
    """Write the page of a study: findings, figures and sounds in one folder.

    It needs the tables, figures and decoded speech of the study, and goes to `page` among the
    results. Open `page/index.html`; no server and no network is needed.
    """
    from taae.page.write import write_page
    from taae.study.overlay import layered

    write_page(load_study(study), layered(study), results)
