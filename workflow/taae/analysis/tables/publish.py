"""The summary as a person reads it: a row per variant, a column per metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from taae.analysis.statistics import RANDOM_SEEDS
from taae.evaluation.metrics import METRICS
from taae.utils.files import write_csv, write_text


@dataclass(frozen=True)
class _Markup:
    """How one format writes what the table needs."""

    bold: Callable[[str], str]
    plus_minus: str
    up: str
    down: str
    dagger: str
    minus: str


_MARKDOWN = _Markup(lambda text: f"**{text}**", "±", "↑", "↓", "†", "-")
_LATEX = _Markup(
    lambda text: rf"\textbf{{{text}}}",
    r"$\pm$",
    r"$\uparrow$",
    r"$\downarrow$",
    r"$^\dagger$",
    "$-$",
)

_LATEX_CHARACTERS = str.maketrans(
    {character: f"\\{character}" for character in "%_&#${}"}
    | {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
    | {"±": r"$\pm$", "†": r"$^\dagger$", "≥": r"$\ge$"}
)


def write_summary(summary: pd.DataFrame, folder: Path, remarks: Sequence[str] = ()) -> None:
    """Write `taae.analysis.tables.scores.summary` as summary.csv, summary.md and summary.tex.

    The LaTeX table needs the packages booktabs and graphicx. `remarks` follow the Markdown table.
    """
    caption = _caption(summary)
    notes = " ".join(filter(None, [_failed(summary), _absent(summary)]))
    write_csv(summary, folder / "summary.csv")
    markdown = _grid(summary, _MARKDOWN).to_markdown(
        index=False, disable_numparse=True, colalign=["left", *["right"] * (1 + _metrics(summary))]
    )
    parts = filter(None, [caption, markdown, notes, *remarks])
    write_text("\n\n".join(parts) + "\n", folder / "summary.md")
    write_text(_latex(summary, f"{caption} {notes}".strip()), folder / "summary.tex")


def _metrics(summary: pd.DataFrame) -> int:
    return summary["metric"].nunique()


def _grid(summary: pd.DataFrame, markup: _Markup) -> pd.DataFrame:
    variants = summary.drop_duplicates("variant")
    columns = {
        "Variant": [
            f"{name} (not installed)" if note else name
            for name, note in zip(variants["variant"], variants["note"], strict=True)
        ],
        "bit/s": [
            "–" if math.isnan(bitrate) else f"{bitrate:.0f}" for bitrate in variants["bitrate"]
        ],
    }
    for name, rows in summary.groupby("metric", sort=False):
        metric = METRICS[str(name)]
        unit = f" ({metric.unit})" if metric.unit else ""
        arrow = markup.up if metric.better > 0 else markup.down
        digits = 2 if metric.unit else 3  # of dB and MOS; the other metrics are near 1
        best = (rows["mean"] * metric.better).max() * metric.better
        columns[f"{metric.label}{unit} {arrow}"] = [
            _cell(row, f"{best:.{digits}f}", digits, markup) for row in rows.itertuples()
        ]
    return pd.DataFrame(columns)


def _cell(row: Any, best: str, digits: int, markup: _Markup) -> str:
    """Return the mean, bold if it prints as the best; a dagger if not shown to differ from it.

    What could not be tested is not shown to differ: a bare number would claim that it is.
    """
    if math.isnan(row.mean):
        return "–"
    half = row.high - row.mean
    printed = f"{row.mean:.{digits}f}"
    text = printed.replace("-", markup.minus)
    if printed == best:
        text = markup.bold(text)
    elif not row.p_best < 1 - row.confidence:
        text += markup.dagger
    return text if math.isnan(half) else f"{text} {markup.plus_minus} {half:.{digits}f}"


def _latex(summary: pd.DataFrame, caption: str) -> str:
    grid = _grid(summary, _LATEX)
    grid["Variant"] = grid["Variant"].str.translate(_LATEX_CHARACTERS)
    styler = grid.style.hide(axis="index")
    tabular = styler.to_latex(hrules=True, column_format="l" + "r" * (grid.shape[1] - 1))
    escaped = caption.translate(_LATEX_CHARACTERS)
    return (
        "\\begin{table*}\n\\centering\n"
        f"\\caption{{{escaped}}}\n\\label{{tab:summary}}\n"
        f"\\resizebox{{\\textwidth}}{{!}}{{%\n{tabular}}}\n\\end{{table*}}\n"
    )


def _caption(summary: pd.DataFrame) -> str:
    summary = summary[summary["note"] == ""]
    known = summary.dropna(subset="low")
    counts = f"{_span(summary['n_speakers'])} speakers, {_span(summary['n_utterances'])} utterances"
    marks = "Arrows point to better; the best mean of each column is bold."
    if known.empty:
        return (
            f"Mean of speakers' means ({counts}); no interval: one speaker or no scores. {marks}"
            " † marks the others: none is shown to differ from the best, as nothing can be tested."
        )
    level = known["confidence"].iloc[0]
    return (
        f"Mean of speakers' means ± half of the {level:.0%} interval"
        f" ({' or '.join(known['method'].unique())}; {' or '.join(known['scope'].unique())};"
        f" {counts}). {marks} † marks those not shown to differ from the best (paired test over"
        f" speakers, p ≥ {1 - level:.2g}, uncorrected; or none possible)."
    )


def _span(counts: pd.Series) -> str:
    low, high = counts.min(), counts.max()
    return f"{low}" if low == high else f"{low} to {high}"


def _absent(summary: pd.DataFrame) -> str:
    """Say which codecs are not installed, and what they need."""
    rows = summary[summary["note"] != ""].drop_duplicates("variant")
    return " ".join(f"{row.variant} is {row.note}." for row in rows.itertuples())


def _failed(summary: pd.DataFrame) -> str:
    notes = []
    for column, what in (("n_failed", "Failed"), ("n_identical", "Identical to the reference")):
        rows = summary[summary[column] > 0]
        if column == "n_failed" and (rows["n_seeds"] >= RANDOM_SEEDS).any():
            what += ", or of a speaker who lacks a seed"
        listed = [
            f"{row.variant} {METRICS[str(row.metric)].label} {getattr(row, column)}"
            for row in rows.itertuples()
        ]
        if listed:
            notes.append(f"{what}, counted and in no mean: {', '.join(listed)}.")
    return " ".join(notes)
