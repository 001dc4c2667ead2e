"""Fitting entropy models: the training split through a trained encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from taae.codec.bitstream.entropy_model import ORDERS, Codes, EntropyModel, entropy_model_path
from taae.codec.codec import load_codec
from taae.codec.operating_points import stages_of
from taae.corpus.store import Split
from taae.utils.log import progress
from taae.utils.sample_rate import SAMPLE_RATE


@torch.inference_mode()
def fit_entropy_models(
    model: Path,
    corpus: Path,
    output: Path,
    points: Sequence[str],
    minutes: float = 0.0,
    threads: int = 1,
    device: str = "cpu",
) -> None:
    """Fit an entropy model of each order to the training split, at each operating point.

    The utterances are encoded once, whatever the number of points; with `minutes` a random choice
    of that much speech at least, else all. Writes `output`/<point>/order0.npz and order1.npz.
    """
    torch.set_num_threads(threads)
    codec = load_codec(model).to(device)
    views = {point: codec.with_bottleneck(stages_of(point)) for point in points}
    codes: dict[str, list[Codes]] = {point: [] for point in points}
    data = Split.open(corpus, "train")
    chosen = _choose([record.samples for record in data.utterances], minutes)
    for index in progress(chosen, len(chosen), "encoding"):
        wave = torch.from_numpy(data.audio(index))[None].to(device)
        latents = codec.latents(wave)
        for point, view in views.items():
            codes[point].append(view.quantizer.quantize(latents)[0].to(torch.uint8).cpu().numpy())
    for point in points:
        levels = codec.config.bottleneck.alphabet(stages_of(point))
        for order in ORDERS:
            EntropyModel.fit(codes[point], levels, order).save(
                entropy_model_path(output, point, order)
            )


def _choose(samples: Sequence[int], minutes: float) -> list[int]:
    """Return utterances, drawn at random but always the same, of `minutes` in all; 0: all."""
    if not minutes:
        return list(range(len(samples)))
    order = np.random.default_rng(0).permutation(len(samples))
    enough = np.cumsum(np.asarray(samples)[order]) >= minutes * 60 * SAMPLE_RATE
    return sorted(order[: int(enough.argmax()) + 1 if enough.any() else None].tolist())
