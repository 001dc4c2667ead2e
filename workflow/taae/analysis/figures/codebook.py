"""Figure of how evenly each variant uses its levels."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from taae.analysis.figures.style import COLUMN, PAGE, panels, title
from taae.codec.operating_points import NATIVE
from taae.study.study import Study

COLUMNS = 4  # of panels
MOST = 3.0  # shares beyond this many times the uniform one have one colour


def codebook(study: Study, histogram: pd.DataFrame) -> Figure:
    """Draw the levels' shares as a heat map, a panel per variant, a row per latent dimension.

    Shown is the quantizer of the trainings with the first seed. A share is relative to the share
    in a uniform distribution; the number at the end of a row is its perplexity, which is the number
    of levels where all are used alike. The stages of a residual FSQ stand below each other, the
    first on top.

    Args:
        study: names the seeds.
        histogram: of `taae.evaluation.bitrates`, with the columns variant, seed and point.
    """
    histogram = histogram[(histogram["point"] == NATIVE) & (histogram["seed"] == study.seeds[0])]
    variants = list(histogram["variant"].unique())
    places = histogram.drop_duplicates(["variant", "stage", "dimension"])
    most_rows = int(places["variant"].value_counts().max())
    width = max(COLUMN, PAGE * min(len(variants), COLUMNS) / COLUMNS)
    figure, axes, spare = panels(len(variants), COLUMNS, width, 0.35 + 0.085 * most_rows, 0.9)
    for axis, variant in zip(axes, variants, strict=True):
        image = _panel(axis, histogram[histogram["variant"] == variant])
        axis.set_title(variant, loc="left")
    for axis in axes[-COLUMNS:]:  # the lowest of each column
        axis.set_xlabel("level")
    figure.supylabel("latent dimension")
    bar = figure.colorbar(
        image, ax=[*axes, *spare], location="bottom", extend="max", shrink=0.5, aspect=40
    )
    bar.set_label("share of the codes, as a multiple of the uniform share")
    bar.outline.set_visible(False)
    title(figure, "Use of the levels", "beside each dimension: its perplexity")
    return figure


def _panel(axis: Axes, table: pd.DataFrame) -> AxesImage:
    most = int(table["levels"].max())
    stages = int(table["stage"].max())
    heat: list[NDArray[np.float64]] = []
    labels: list[str] = []
    for _, rows in table.groupby(["stage", "dimension"], sort=True):
        share = rows.sort_values("level")["share"].to_numpy()
        used = share[share > 0]
        perplexity = 2 ** -(used * np.log2(used)).sum()
        axis.text(
            1.02,
            len(heat),
            f"{perplexity:.1f}",
            transform=axis.get_yaxis_transform(),
            va="center",
            fontsize=5,
        )
        heat.append(np.pad(share * len(share), (0, most - len(share)), constant_values=np.nan))
        dimension = str(rows["dimension"].iloc[0])
        labels.append(dimension if stages == 1 else f"{rows['stage'].iloc[0]}.{dimension}")
    image = axis.imshow(np.array(heat), cmap="viridis", vmin=0, vmax=MOST, aspect="auto")
    shown = range(0, len(labels), max(1, len(labels) // stages // 4))
    axis.set_yticks(shown, [labels[row] for row in shown])
    axis.set_xticks([0, (most - 1) // 2, most - 1])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return image
