"""The page of a study: results/page/, a folder that opens from a disk."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from taae.analysis.catalogue import Figure, figures
from taae.analysis.findings.wording import headlines, paragraphs
from taae.page.arms import arms, groups, in_order
from taae.page.captions import caption
from taae.page.listening import write_listening
from taae.page.sounds import OPUS_BITRATE
from taae.page.summary import read_summary
from taae.page.verdicts import SYMBOLS, WIDTH, findings, read_findings
from taae.study.study import Study
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, read_csv

Json = dict[str, Any]
ASSETS = ("page.css", "theme.js", "player.js", "listening.js")
# Those beside the tables that figures are drawn from; scores.csv is large, and no table to read.
TABLES = ("findings", "comparisons", "factorial", "summary", "noise", "provenance", "failures")
LEFT_OUT = ("scores.csv", "spectra.npz")


def write_page(study: Study, config: Json, results: Path) -> None:
    """Write `results`/page: index.html and all that it shows.

    `config` is the study as written. Raises a `TaaeError` where a table, a figure or a sound of
    the study is missing.
    """
    found = read_findings(results / "tables" / "findings.csv")
    heard = arms(study, results)
    with atomic(results / "page") as folder:
        folder.mkdir()
        shown = [_figure(figure, study, results, folder) for figure in figures(study)]
        listening = write_listening(
            heard,
            groups(study, heard),
            results / "corpus",
            study.page,
            study.corpus["loudness"],
            folder,
        )
        page = template().render(
            study=study,
            ablations=_ablations(study, found, shown),
            figures=[figure for figure in shown if not figure["ablation"]],
            speakers=max(found["n_speakers"], default=0),
            symbols=SYMBOLS,
            width=WIDTH,
            summary=read_summary(results / "tables" / "summary.md"),
            tables=_tables(study, results, folder),
            listening=listening,
            opus_bitrate=OPUS_BITRATE,
            config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
            provenance=_as_written(results / "tables" / "provenance.csv"),
        )
        (folder / "index.html").write_text(page, encoding="utf-8")
        for name in ASSETS:
            shutil.copyfile(Path(__file__).with_name(name), folder / name)


def template(name: str = "template.html") -> Template:
    """Return a template of this room; it escapes what it is given."""
    environment = Environment(
        loader=PackageLoader("taae.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return environment.get_template(name)


def _ablations(study: Study, found: pd.DataFrame, shown: list[Json]) -> list[Json]:
    """Return the ablations with what was found, each finding and each figure."""
    primary = {name: ablation.primary for name, ablation in study.ablations.items()}
    rows, texts = findings(found, primary), paragraphs(found, study)
    answers = headlines(found, study)
    return [
        {
            "name": name,
            "title": ablation.title,
            "reference": ablation.reference,
            "answer": answers.get(name, ""),
            "text": texts.get(name, ""),
            "findings": [row for row in rows if row.ablation == name],
            "figures": [figure for figure in shown if figure["ablation"] == name],
        }
        for name, ablation in in_order(study).items()
    ]


def _figure(figure: Figure, study: Study, results: Path, folder: Path) -> Json:
    """Copy a figure and return what the page says of it."""
    path = Path("figures") / f"{figure.name}.png"
    _copy(results / path, folder / path)
    kind = figure.kind.replace("-", " ").capitalize()
    of = f": {study.ablations[figure.ablation].title}" if figure.ablation else ""
    config = {"statistics": asdict(study.statistics), "seeds": study.seeds}
    text = caption(figure.kind, config)
    about = {"kind": kind, "alt": f"{kind} figure{of}", "caption": text}
    return {"path": path.as_posix(), "ablation": figure.ablation, **about}


def _tables(study: Study, results: Path, folder: Path) -> list[str]:
    """Copy the tables and return their paths."""
    drawn = [table for figure in figures(study) for table in figure.tables]
    names = dict.fromkeys([*(f"{table}.csv" for table in TABLES), *drawn])
    paths = [f"tables/{name}" for name in names if name not in LEFT_OUT]
    for path in paths:
        _copy(results / path, folder / path)
    return paths


def _as_written(path: Path) -> pd.DataFrame:
    """Return a table of texts: a hash of digits alone is no number, and 3.10 is not 3.1."""
    names = [str(name) for name in read_csv(path, ["variant"])]
    return read_csv(path, names, names).fillna("")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise TaaeError(f"{source}: cannot be copied ({error.strerror})") from error
