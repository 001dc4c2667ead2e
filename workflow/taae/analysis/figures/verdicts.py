"""The answer of a study in one figure: the verdicts on its arms in their primary metrics."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from taae.analysis.figures import style
from taae.analysis.findings.verdict import BETTER, EQUIVALENT, UNDETERMINED, WORSE
from taae.analysis.findings.wording import Row, amount
from taae.analysis.tables.comparisons import CONFIRMATORY, CONTROL
from taae.codec.operating_points import NATIVE, point_label
from taae.corpus.config import MAIN
from taae.evaluation.metrics import METRICS
from taae.study.study import Study

_LOOKS = {
    WORSE: (style.RED, "v"),
    BETTER: (style.GREEN, "^"),
    EQUIVALENT: (style.BLUE, "o"),
    UNDETERMINED: (style.ORANGE, "D"),
}
_CONTROL = (style.GREY, "s")
_ROW = 0.17  # inches


def verdicts(study: Study, findings: pd.DataFrame) -> Figure:
    """Draw the difference of every arm in its ablation's primary metric, in margins.

    Ablations with different primary metrics and arms of all ablations so share an axis, on which
    right is better and what lies between -1 and 1 is too small to matter. Arms are rows, below the
    title of their ablation. An arm has another row for each operating point where it is worse or
    better, as the headlines of the findings do. Rows without a margin are left out.
    """
    rows = [row for name in study.ablations for row in _rows(study, name, findings)]
    shown = pd.DataFrame(rows, columns=findings.columns)
    titles = [row["ablation"] for row in rows]
    lines: list[Row | str] = []
    for place, row in enumerate(rows):
        if row["ablation"] not in titles[:place]:
            lines.append(study.ablations[row["ablation"]].title)
        lines.append(row)
    names = ["" if isinstance(line, str) else _name(study, line) for line in lines]
    xlabel = "difference in margins; right is better"
    height = _ROW * max(1, len(lines))
    figure, axes = style.panels({"all": ""}, height, xlabel=xlabel, rows=names)
    _draw(axes["all"], lines, names)
    style.explain(
        figure,
        "Verdicts on the primary metrics",
        f"{style.interval(shown)}; shaded: within the margin, too small to matter",
        "filled: confirmatory (Holm); white: exploratory, where worse or better",
    )
    widest = max((style.width(_amount(row), style.TICK) for row in rows), default=0.0)
    room = 2 * style.MARGIN + widest
    figure.subplots_adjust(right=1 - (style.MARGIN + room) / style.PAGE)
    _write_texts(axes["all"], lines)
    return figure


def _rows(study: Study, ablation: str, findings: pd.DataFrame) -> list[Row]:
    """Return the findings to show of an ablation, each arm's native one first."""
    primary = study.ablations[ablation].primary
    mine = findings[(findings["ablation"] == ablation) & (findings["metric"] == primary)]
    mine = mine[(mine["effect"] == "difference") & (mine["test"] == MAIN) & mine["margin"].notna()]
    away = (mine["role"] != CONTROL) & mine["verdict"].isin([WORSE, BETTER])
    mine = mine[(mine["point"] == NATIVE) | away]
    order = {arm: place for place, arm in enumerate(mine["variant"].unique())}
    mine = mine.sort_values("variant", key=lambda arms: arms.map(order), kind="stable")
    return cast("list[Row]", mine.to_dict("records"))


def _name(study: Study, row: Row) -> str:
    at = "" if row["point"] == NATIVE else f", at {point_label(row['point'])}"
    return f"{study.labels.get(row['variant'], row['variant'])}{at}"


def _amount(row: Row) -> str:
    return f"{METRICS[row['metric']].label} {amount(row)}"


def _draw(axis: Axes, lines: list[Row | str], names: list[str]) -> None:
    """Draw a row per line: the title of an ablation, or an arm."""
    reached = [-1.0, 1.0]
    for place, line in enumerate(lines):
        if isinstance(line, str):
            continue
        scale = METRICS[line["metric"]].better / line["margin"]
        ends = sorted((scale * line["low"], scale * line["high"]))
        reached += ends
        colour, marker = _CONTROL if line["role"] == CONTROL else _LOOKS[line["verdict"]]
        face = colour if line["role"] == CONFIRMATORY else "white"
        label = "control" if line["role"] == CONTROL else line["verdict"]
        axis.hlines(place, *ends, color=colour, linewidth=1.0)
        axis.plot(scale * line["difference"], place, marker, color=colour, markerfacecolor=face)
        axis.plot([], [], marker, color=colour, linestyle="", label=label)
    axis.axvspan(-1, 1, color=style.PALE, zorder=0)
    axis.axvline(0, color=style.BLACK, linewidth=0.6, zorder=0.9)
    axis.set_xlim(style.limits(reached))
    style.arm_rows(axis, names or [""])
    axis.spines["left"].set_visible(False)  # titles go over it


def _write_texts(axis: Axes, lines: list[Row | str]) -> None:
    """Write titles from the edge of the page on, and the differences right of the axis."""
    figure: Any = axis.get_figure()
    from_edge = blended_transform_factory(figure.transFigure, axis.transData)
    beside = blended_transform_factory(axis.transAxes, axis.transData)
    for place, line in enumerate(lines):
        if isinstance(line, str):
            look: dict[str, Any] = {"fontweight": "bold", "transform": from_edge}
            axis.text(style.MARGIN / style.PAGE, place, line, va="center", **look)
        else:
            axis.text(
                1.02, place, _amount(line), va="center", fontsize=style.TICK, transform=beside
            )
