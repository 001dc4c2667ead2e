"""Figures of the study as a whole: training, windows, costs, lengths, spectrograms, levels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from taae.analysis.figures import style
from taae.codec.operating_points import NATIVE
from taae.evaluation.metrics import METRICS
from taae.study.study import Study

COSTS = {
    "latency_ms": "algorithmic latency (ms)",
    "look_ahead_ms": "look-ahead (ms)",
    "receptive_field_ms": "receptive field (ms)",
    "flops_per_second": "MFLOP per second of audio",
    "rtf": "CPU time / duration",
    "chunk_ms_median": "one streamed frame (ms)",
    "state_kib": "state of a stream (KiB)",
    "peak_mib": "memory for 10 s of audio (MiB)",
    "parameters": "parameters (millions)",
}
MILLIONS = ("flops_per_second", "parameters")
# Drawn as a line beside the point.
SPREAD = {"chunk_ms_median": ("chunk_ms_median", "chunk_ms_p99"), "rtf": ("rtf_low", "rtf_high")}
NUMBERS = 0.6  # of a panel's width is left of the numbers
STREAMED = ("chunk_ms_median", "state_kib")  # empty where a codec does not stream
RANGE = 80.0  # dB below the reference's maximum
BAR: dict[str, Any] = {"pad": 0.05, "fraction": 0.08}
BAR_WIDTH = 0.15  # inches
MOST = 3.0  # shares beyond this many times the uniform one have one colour


def training(_study: Study, table: pd.DataFrame) -> Figure:
    """Draw the loss against the step, a panel per variant, the other variants behind it.

    A dashed line marks where the discriminator begins to play.
    """
    table = table.dropna(subset="loss")
    validations = table[table["split"] == "validation"]
    low, high = validations["loss"].min(), validations["loss"].max()
    margin = 0.15 * ((high - low) or 1.0)
    runs = [run for _, run in validations.groupby(["variant", "seed"])[["step", "loss"]]]
    gap = pd.DataFrame({"step": [np.nan]})
    lines = pd.concat([part for run in runs for part in (run, gap)])  # as one: quicker to draw
    titles = {name: name for name in table["variant"].unique()}
    figure, axes = style.panels(titles, 0.8, xlabel="step", ylabel="loss")
    for variant, axis in axes.items():
        others: dict[str, Any] = {"linewidth": 0.7, "label": "validation of the others"}
        axis.plot(lines["step"], lines["loss"], color=style.FAINT, **others)
        for _, run in table[table["variant"] == variant].groupby("seed"):
            train, validation = (run[run["split"] == split] for split in ("train", "validation"))
            thin: dict[str, Any] = {"linewidth": 0.5, "zorder": 3, "label": "training"}
            axis.plot(train["step"], train["loss"], color=style.SKY, **thin)
            steps = train["step"][train["discriminator"].notna()]
            if len(steps):
                dashed: dict[str, Any] = {"linestyle": "--", "label": "discriminator plays"}
                axis.axvline(steps.min(), color=style.GREY, linewidth=0.6, **dashed)
            mark: dict[str, Any] = {"marker": "o", "ms": 2, "zorder": 4, "label": "validation"}
            axis.plot(validation["step"], validation["loss"], color=style.BLUE, **mark)
        axis.set_ylim(low - margin, high + margin)
        axis.grid(visible=True, axis="y")
    reading = "one line per seed; y axis cut to the validation losses"
    return style.explain(figure, "Loss in training", reading)


def coverage(_study: Study, table: pd.DataFrame) -> Figure:
    """Draw the share of attention pairs that each variant's window removes, per rate."""
    variants = list(table["variant"].unique())
    title = "Attention pairs that the window removes in training (%)"
    figure, axes = style.panels({title: ""}, 0.16 * max(1, len(variants)))
    axis = axes[title]
    looks = cycle(zip((style.BLUE, style.ORANGE, style.GREEN, style.RED), "osD^", strict=True))
    rates = table.groupby("rate_hz", sort=False)
    for (rate, rows), (colour, marker) in zip(rates, looks, strict=False):
        places = rows["variant"].map(variants.index)
        axis.plot(100 * rows["share_removed"], places, marker, color=colour, label=f"{rate:g} Hz")
    style.arm_rows(axis, variants)
    axis.grid(visible=True)
    axis.set_xlim(-2, 102)
    return style.explain(figure, title)


def cost(_study: Study, table: pd.DataFrame) -> Figure:
    """Draw each cost, a panel each, an arm a row; costs that no arm has are left out.

    Every value stands as a number at the end of its row, so the axis has none.
    """
    titles = {name: title for name, title in COSTS.items() if table[name].notna().any()}
    rows, arms = range(len(table)), table["variant"].tolist()
    figure, axes = style.panels(titles, 0.17 * len(table), columns=3, sharey=True, rows=arms)
    for name, axis in axes.items():
        scale = 1e-6 if name in MILLIONS else 1.0
        values, low, high = (
            table[each].astype(float) * scale for each in (name, *SPREAD.get(name, (name, name)))
        )
        axis.hlines(rows, low, high, color=style.BLUE, linewidth=1.0)
        axis.plot(values, rows, "o", color=style.BLUE, clip_on=False)
        for row, (value, last) in enumerate(zip(values, high, strict=True)):
            text, colour = "looks ahead", style.GREY
            if math.isfinite(value):
                tail = name in STREAMED and last != value
                text, colour = _text(value), style.BLACK
                text += f" to {_text(last)}" if tail else ""
            elif name not in STREAMED:
                continue
            look: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 6}
            axis.text(1, row, text, transform=axis.get_yaxis_transform(), color=colour, **look)
        axis.set_xlim(0, max(high.max() / NUMBERS, 1e-9))
        axis.set_xticks([0], [""])
        style.arm_rows(axis, arms)
    lines = "lines: CPU time from the least to the most of the rounds; a streamed frame from the"
    return style.explain(
        figure,
        "What each arm costs, on one thread of a CPU",
        f"{lines} median to the 99th percentile",
    )


def _text(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def lengths(study: Study, table: pd.DataFrame, comparisons: pd.DataFrame) -> Figure:
    """Draw what each length changes, a panel per metric, with intervals of the paired changes.

    The change of a variant is from the length nearest to its training, which is 0 by definition.
    Filled: it differs from the change of the reference, which is a diamond. A cross lies on a point
    where the window removes nothing. The shaded side is better.
    """
    ablation = study.ablations[study.lengths.ablation]
    seconds = sorted(table["seconds"].unique())
    place = {length: number for number, length in enumerate(seconds)}
    looks = {ablation.reference: (style.BLACK, "D"), **style.looks(ablation.variants)}
    keys = ["variant", "seconds", "metric"]
    tested = comparisons.set_index(keys)
    differs = set(tested.index[tested["p_holm"] < 1 - tested["confidence"]])
    titles = style.headings(table["metric"].unique())
    figure, axes = style.panels(titles, 1.2, columns=3, xlabel="length of a piece (s)")
    width = 0.7 / len(looks)
    for metric, axis in axes.items():
        axis.axhline(0, color=style.BLACK, linewidth=0.6, zorder=0.9)
        away = (table["metric"] == metric) & (table["seconds"] != table["home"])
        for number, (variant, (colour, marker)) in enumerate(looks.items()):
            rows = table[away & (table["variant"] == variant)]
            x = rows["seconds"].map(place) - 0.35 + (number + 0.5) * width
            axis.vlines(x, rows["change_low"], rows["change_high"], color=colour, linewidth=1.0)
            window = study.variants[variant].attention.window
            conv = study.variants[variant].model.kind == "conv"
            label = variant if conv else f"{variant} ({window} keys)"
            axis.plot([], [], marker, color=colour, linestyle="", label=label)
            points = rows[["seconds", "change", "sees_all"]].itertuples(index=False, name=None)
            for at, (length, change, sees_all) in zip(x, points, strict=True):
                solid = variant == ablation.reference or (variant, length, metric) in differs
                face = colour if solid else "white"
                axis.plot(at, change, marker, color=colour, markerfacecolor=face)
                if sees_all:
                    cross: dict[str, Any] = {"color": style.GREY, "zorder": 4}
                    axis.plot(at, change, "x", label="window removes nothing", **cross)
        style.better_side(axis, METRICS[metric].better)
        axis.set_xticks(range(len(seconds)), [f"{length:g}" for length in seconds])
        axis.set_xlim(-0.5, len(seconds) - 0.5)
        axis.locator_params(axis="y", nbins=5)
        axis.grid(visible=True, axis="y")
    homes = " or ".join(f"{home:g}" for home in sorted(table["home"].unique()))
    return style.explain(
        figure,
        "Length generalisation",
        f"change from pieces of {homes} s, same samples, with its {style.interval(table)}",
        style.filled(comparisons, f"change otherwise than {ablation.reference}"),
    )


def spectrograms(_study: Study, spectra: Mapping[str, NDArray[Any]]) -> Figure:
    """Draw the spectrograms of `taae.analysis.tables.spectra`, all on one scale."""
    hop, top = spectra["hop"].item(), spectra["top"].item()
    levels = spectra["levels"].astype(np.float32)
    extent = (0, levels.shape[2] * hop, 0, top / 1000)
    look: dict[str, Any] = {"cmap": "magma", "vmin": -RANGE, "vmax": 0, "extent": extent}
    titles = {label: label for label in spectra["labels"].tolist()}
    figure, axes = style.panels(titles, 0.9, 3, True, "time (s)", "frequency (kHz)")
    for axis, image in zip(axes.values(), levels, strict=True):
        shown = axis.imshow(image, origin="lower", aspect="auto", interpolation="nearest", **look)
    style.explain(figure, f"Utterance {spectra['utterance'].item()}")
    _bar(figure, shown, "dB re maximum of reference")
    return figure


def codebook(study: Study, histogram: pd.DataFrame) -> Figure:
    """Draw the levels' shares as a heat map, a panel per variant, a row per latent dimension.

    Shown is the quantizer of the trainings with the first seed. A share is relative to the share
    in a uniform distribution; the number at the end of a row is its perplexity, which is the number
    of levels where all are used alike. The stages of a residual FSQ stand below each other, the
    first on top.
    """
    histogram = histogram[(histogram["point"] == NATIVE) & (histogram["seed"] == study.seeds[0])]
    tables: dict[Any, pd.DataFrame] = dict(iter(histogram.groupby("variant", sort=False)))
    rows = max(len(table.groupby(["stage", "dimension"])) for table in tables.values())
    titles = {name: name for name in tables}
    figure, axes = style.panels(titles, 0.085 * rows, xlabel="level", ylabel="dimension")
    for name, axis in axes.items():
        image = _levels(axis, tables[name])
    style.explain(figure, "Use of the levels", "beside each dimension: its perplexity")
    _bar(figure, image, "share / uniform", extend="max")
    return figure


def _bar(figure: Figure, image: AxesImage, label: str, **options: Any) -> None:
    """Add a bar of colours beside all panels, as wide whatever their height."""
    aspect = figure.get_figheight() / BAR_WIDTH
    bar = figure.colorbar(image, ax=figure.axes, label=label, aspect=aspect, **BAR, **options)
    bar.outline.set_visible(False)


def _levels(axis: Axes, table: pd.DataFrame) -> AxesImage:
    most, stages = int(table["levels"].max()), int(table["stage"].max())
    shares = table.pivot_table(index=["stage", "dimension"], columns="level", values="share")
    used = shares.where(shares > 0)
    perplexities = 2 ** -(used * np.log2(used)).sum(axis="columns")
    for row, perplexity in enumerate(perplexities):
        place = axis.get_yaxis_transform()
        axis.text(1.01, row, f"{perplexity:.1f}", transform=place, va="center", fontsize=5)
    heat = shares.mul(shares.notna().sum(axis="columns"), axis="index").to_numpy()
    image = axis.imshow(heat, cmap="viridis", vmin=0, vmax=MOST, aspect="auto")
    labels = [f"{stage}.{each}" if stages > 1 else f"{each}" for stage, each in shares.index]
    # A label needs the room of two rows; each stage has some.
    step = max(2, len(labels) // stages // 4)
    axis.set_yticks(range(0, len(labels), step), labels[::step])
    axis.set_xticks([0, (most - 1) // 2, most - 1] if most > 2 else range(most))
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return image
