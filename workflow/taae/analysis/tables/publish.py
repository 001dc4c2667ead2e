"""The summary as a person reads it: a row per variant, a column per metric."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from taae.analysis.statistics import RANDOM_SEEDS
from taae.evaluation.metrics import METRICS
from taae.utils.files import write_csv, write_text

_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "%_&#${}"}
    | {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$"}
    | {"†": r"$^\dagger$", "≥": r"$\ge$", "↑": r"$\uparrow$", "↓": r"$\downarrow$"}
)


def write_summary(summary: pd.DataFrame, folder: Path, remarks: Sequence[str] = ()) -> None:
    """Write `taae.analysis.tables.scores.summary` as summary.csv, .md and .tex.

    The LaTeX table needs the packages booktabs and graphicx. `remarks` follow the Markdown table.
    """
    write_csv(summary, folder / "summary.csv")
    caption, notes, grid = _caption(summary), _notes(summary), _grid(summary)
    sides = ["left", *["right"] * (grid.shape[1] - 1)]
    markdown = grid.to_markdown(index=False, disable_numparse=True, colalign=sides)
    parts = filter(None, [caption, markdown, notes, *remarks])
    write_text("\n\n".join(parts) + "\n", folder / "summary.md")
    write_text(_latex(grid, f"{caption} {notes}".strip()), folder / "summary.tex")


def _grid(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the cells in Markdown."""
    rows = summary.drop_duplicates("variant")
    columns = {
        "Variant": rows["variant"].where(rows["note"] == "", rows["variant"] + " (not installed)"),
        "bit/s": [_number(bitrate, 0) for bitrate in rows["bitrate"]],
    }
    for name, rows in summary.groupby("metric", sort=False):
        metric = METRICS[str(name)]
        digits = 2 if metric.unit else 3  # of dB and MOS; the other metrics are near 1
        contest = rows.loc[rows["kind"] == "variant", "mean"]
        best = _number((contest * metric.better).max() * metric.better, digits)
        columns[metric.heading] = [_cell(row, best, digits) for row in rows.itertuples()]
    return pd.DataFrame(columns)


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _cell(row: Any, best: str, digits: int) -> str:
    """Return the mean, bold if it prints as the best; a dagger if not shown to differ from it.

    What could not be tested is not shown to differ: a bare number would claim that it is. Other
    codecs have neither mark.
    """
    text = _number(row.mean, digits)
    if math.isnan(row.mean):
        return text
    if row.kind == "variant":
        if text == best:
            text = f"**{text}**"
        elif not row.p_best < 1 - row.confidence:
            text += "†"
    half = row.behind_high - row.behind
    return text if math.isnan(half) else f"{text} ± {_number(half, digits)}"


def _latex(grid: pd.DataFrame, caption: str) -> str:
    cells = grid.rename(columns=lambda name: name.translate(_LATEX))
    cells = cells.map(lambda cell: cell.translate(_LATEX))
    numbers = cells.columns[1:]
    cells[numbers] = cells[numbers].map(
        lambda cell: re.sub(r"\*\*(.*)\*\*", r"\\textbf{\1}", cell.replace("-", "$-$"))
    )
    tabular = cells.style.hide(axis="index").to_latex(
        hrules=True, column_format="l" + "r" * len(numbers)
    )
    return (
        "\\begin{table*}\n\\centering\n"
        f"\\caption{{{caption.translate(_LATEX)}}}\n\\label{{tab:summary}}\n"
        f"\\resizebox{{\\textwidth}}{{!}}{{%\n{tabular}}}\n\\end{{table*}}\n"
    )


def _caption(summary: pd.DataFrame) -> str:
    summary = summary[summary["note"] == ""]
    known = summary.dropna(subset="low")
    there = summary.dropna(subset="mean") if summary["mean"].notna().any() else summary
    counts = f"{_span(there['n_speakers'])} speakers, {_span(there['n_utterances'])} utterances"
    marks = "Arrows point to better; the best variant of each column is bold."
    if known.empty:
        return (
            f"Mean of speakers' means ({counts}); no interval: one speaker or no scores. {marks}"
            " † marks the others: none is shown to differ from the best, as nothing can be tested."
        )
    level = known["confidence"].iloc[0]
    return (
        f"Mean of speakers' means ({counts}) ± half of the {level:.0%} interval of the difference"
        f" from the best variant, paired by utterance ({' or '.join(known['method'].unique())};"
        f" {' or '.join(known['scope'].unique())}). {marks} † marks variants not shown to differ"
        f" from it (p ≥ {1 - level:.2g}, Holm's over the variants; or no test possible)."
    )


def _span(counts: pd.Series) -> str:
    low, high = counts.min(), counts.max()
    return f"{low}" if low == high else f"{low} to {high}"


def _notes(summary: pd.DataFrame) -> str:
    """Say what is in no mean, which codecs are not installed, and what they need."""
    failed = "Failed"
    if (summary.loc[summary["n_failed"] > 0, "n_seeds"] >= RANDOM_SEEDS).any():
        failed += ", or of a speaker who lacks a seed"
    notes = []
    for column, what in (("n_failed", failed), ("n_identical", "Identical to the reference")):
        listed = [
            f"{row.variant} {METRICS[str(row.metric)].label} {getattr(row, column)}"
            for row in summary[summary[column] > 0].itertuples()
        ]
        if listed:
            notes.append(f"{what}, counted and in no mean: {', '.join(listed)}.")
    absent = summary[summary["note"] != ""].drop_duplicates("variant")
    return " ".join([*notes, *(f"{row.variant} is {row.note}." for row in absent.itertuples())])
