"""Metrics against length: the table and the figure of the length study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pandas as pd

from taae.analysis.style import (
    GREY,
    PAGE,
    metric_title,
    panels,
    save,
    styled,
)
from taae.analysis.tables import COLUMNS, TEXT, summary
from taae.analysis.utterances import LOOKS
from taae.files import read_csv
from taae.study import Study


def length_summary(paths: Iterable[Path], study: Study) -> pd.DataFrame:
    """Return `taae.analysis.tables.summary` of each length: a row per seconds, variant, metric."""
    scores = pd.concat([read_csv(path, ["seconds", *COLUMNS], TEXT) for path in paths])
    arms = {name: study.variants[name] for name in study.length_arms}
    shown = replace(
        study,
        variants=arms,
        codecs={},
        metrics=replace(study.metrics, names=study.lengths.metrics),
    )
    tables = []
    for seconds, rows in scores.groupby("seconds"):
        table = summary(rows, shown)
        table.insert(0, "seconds", seconds)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def length_figure(table: pd.DataFrame, study: Study, stem: Path) -> None:
    """Draw every metric against length, a line per variant; the training length is marked."""
    variants = list(table["variant"].unique())
    metrics = list(table["metric"].unique())
    trained = study.variants[variants[0]].training.segment
    lengths = sorted(table["seconds"].unique())
    with styled():
        figure, axes, spare = panels(len(metrics), 3, PAGE, 1.5, 0.7)
        for axis, metric in zip(axes, metrics, strict=True):
            looks = zip(variants, cycle(LOOKS), strict=False)
            for number, (variant, (colour, marker)) in enumerate(looks):
                rows = table[(table["metric"] == metric) & (table["variant"] == variant)]
                rows = rows.dropna(subset="mean")
                # Side by side, or the intervals of the variants would hide each other.
                seconds = rows["seconds"] * 1.03 ** (number - (len(variants) - 1) / 2)
                window = study.variants[variant].attention.window
                axis.errorbar(
                    seconds,
                    rows["mean"],
                    [rows["mean"] - rows["low"], rows["high"] - rows["mean"]],
                    color=colour,
                    marker=marker,
                    markersize=3,
                    elinewidth=0.6,
                    label=f"{variant} ({window} keys)",
                )
            axis.axvline(trained, color=GREY, linewidth=0.6, linestyle=":", zorder=0)
            axis.set_xscale("log")
            axis.set_xticks(lengths, [f"{length:g}" for length in lengths])
            axis.minorticks_off()
            axis.grid(visible=True, axis="y")
            axis.set_title(metric_title(metric), loc="left")
            axis.set_xlabel("length (s)")
        handles, labels = axes[0].get_legend_handles_labels()
        if spare:
            spare[0].legend(handles, labels, loc="center left")
        else:
            figure.legend(handles, labels, loc="outside lower center", ncols=4)
        figure.suptitle(
            f"Length generalisation\ntrained on segments of {trained:g} s (dotted)",
            x=0.01,
            ha="left",
            fontsize=8,
        )
        save(figure, stem)
