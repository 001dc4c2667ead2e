"""Spectrograms of one utterance as the variants decode it, as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from taae.analysis.figures.style import PAGE, panels, title
from taae.study.study import Study

RANGE = 80.0  # dB below the reference's maximum


def spectrograms(_study: Study, spectra: Mapping[str, NDArray[Any]]) -> Figure:
    """Draw the spectrograms of `taae.analysis.tables.spectra`, all on one scale."""
    hop, top = spectra["hop"].item(), spectra["top"].item()
    labels, levels = spectra["labels"].tolist(), spectra["levels"].astype(np.float32)
    figure, axes, _ = panels(len(labels), 3, PAGE, 1.2, 0.6, sharey=True)
    for axis, label, image in zip(axes, labels, levels, strict=True):
        shown = axis.imshow(
            image,
            origin="lower",
            aspect="auto",
            extent=(0, image.shape[1] * hop, 0, top / 1000),
            cmap="magma",
            vmin=-RANGE,
            vmax=0,
            interpolation="nearest",
        )
        axis.set_title(label, loc="left")
    title(figure, f"Utterance {spectra['utterance'].item()}")
    figure.supxlabel("time (s)")
    figure.supylabel("frequency (kHz)")
    figure.colorbar(shown, ax=axes, label="dB re maximum of reference", aspect=40, pad=0.01)
    return figure
