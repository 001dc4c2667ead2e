"""Figure of the arms and other codecs on each test set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from taae.analysis.figures import style
from taae.corpus.config import MAIN
from taae.study.study import Study


def means_on_tests(study: Study, table: pd.DataFrame) -> Figure:
    """Draw the mean of each arm and other codec on each test set, a panel per primary metric.

    Arms rule the axes: another codec that is far away stands at the edge.
    """
    primary = dict.fromkeys(ablation.primary for ablation in study.ablations.values())
    metrics = [metric for metric in primary if metric in set(table["metric"])]
    heard = set(table["variant"][table["mean"].notna()])
    names = [name for name in (*study.variants, *study.codecs) if name in heard]
    looks = {MAIN: (style.BLACK, "D"), **style.looks(study.tests)}
    titles = style.headings(metrics)
    figure, axes = style.panels(titles, 0.17 * len(names), columns=2, sharey=True, rows=names)
    for metric, axis in axes.items():
        means = table[table["metric"] == metric].pivot_table("mean", "variant", "test")
        means = means.reindex(index=names, columns=list(looks))
        arms = means.index.isin(list(study.variants))
        low, high = style.limits(means[arms].to_numpy().ravel(), means[~arms].to_numpy().ravel())
        places = np.arange(len(names))
        shown = means.clip(low, high)
        axis.hlines(places, shown.min(axis=1), shown.max(axis=1), color=style.FAINT, zorder=1)
        for test, (colour, marker) in looks.items():
            look: dict[str, Any] = {"color": colour, "linestyle": "", "clip_on": False}
            inside = means[test] == shown[test]
            axis.plot(shown[test][inside], places[inside], marker, label=test, **look)
            away = ~inside & means[test].notna()
            axis.plot(shown[test][away], places[away], marker, markerfacecolor="white", **look)
        axis.set_xlim(low, high)
        style.arm_rows(axis, names)
    return style.explain(
        figure,
        "Test sets: mean over speakers of each arm and other codec",
        "hollow at an edge: beyond the panel",
    )
