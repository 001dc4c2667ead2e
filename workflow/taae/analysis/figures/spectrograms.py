"""Spectrograms of one utterance as the variants decode it, as a figure."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from taae.analysis.figures.style import PAGE, panels, save, styled
from taae.analysis.tables.spectra import RANGE
from taae.utils.errors import TaaeError


def plot_spectra(table: Path, stem: Path) -> None:
    """Draw what `write_spectra` wrote, on one scale; .png and .pdf are added to `stem`."""
    try:
        with np.load(table) as content:
            labels, levels = content["labels"].tolist(), content["levels"].astype(np.float32)
            utterance, hop, top = (content[key].item() for key in ("utterance", "hop", "top"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TaaeError(f"{table}: not a table of spectrograms ({error})") from error
    with styled():
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
        figure.suptitle(f"Utterance {utterance}", x=0.01, ha="left", fontsize=8)
        figure.supxlabel("time (s)", fontsize=7)
        figure.supylabel("frequency (kHz)", fontsize=7)
        figure.colorbar(shown, ax=axes, label="dB re maximum of reference", aspect=40, pad=0.01)
        save(figure, stem)
