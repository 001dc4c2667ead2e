"""Fitting token models: the training split through a trained encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional as F

from taae.codec import TAAE
from taae.coding.tokens import Codes, Order, TokenModel
from taae.corpus.store import Split
from taae.progress import progress
from taae.stages import alphabet, stages_of

ORDERS: tuple[Order, ...] = (0, 1)


def tokens_path(folder: Path, point: str, order: Order = 1) -> Path:
    """Return where the token model of an operating point is; `folder` is MODEL/tokens."""
    return folder / point / f"order{order}.npz"


@torch.inference_mode()
def fit_tokens(
    model: Path, corpus: Path, output: Path, points: Sequence[str], threads: int = 1
) -> None:
    """Fit a token model of each order to the training split, at each operating point.

    The utterances are encoded once, whatever the number of points. Writes
    `output`/<point>/order0.npz and order1.npz.
    """
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    codec = TAAE.from_pretrained(model).to(device)
    views = {point: codec.with_bottleneck(stages_of(point)) for point in points}
    codes: dict[str, list[Codes]] = {point: [] for point in points}
    data = Split.open(corpus, "train")
    for index in progress(range(len(data.utterances)), len(data.utterances), "encoding"):
        wave = torch.from_numpy(data.audio(index))[None].to(device)
        latents = codec.encoder(F.pad(wave, (0, -wave.shape[1] % codec.hop)))
        for point, view in views.items():
            codes[point].append(view.quantizer.quantize(latents)[0].to(torch.uint8).cpu().numpy())
    bottleneck = codec.config.bottleneck
    for point in points:
        levels = alphabet(bottleneck.levels, bottleneck.dimensions, stages_of(point))
        for order in ORDERS:
            TokenModel.fit(codes[point], levels, order).save(tokens_path(output, point, order))
