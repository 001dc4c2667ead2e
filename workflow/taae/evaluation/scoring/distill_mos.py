"""DistillMOS, a listener's rating without a reference, by the network that distillmos ships.

The package itself imports torchaudio, which need not be there; its weights need only torch.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from taae.evaluation.metrics import METRICS
from taae.evaluation.scoring.packaged_weights import packaged, read_state
from taae.evaluation.scoring.signal_metrics import Signal
from taae.utils.sample_rate import SAMPLE_RATE

PUBLISHED = "b18b3ac60227267cfb91e5d00ce22cc7b73716fd92f269484da1446e27031a40"  # SHA-256
CROP = 122_880  # samples that the network hears at once
MOST_APART = SAMPLE_RATE  # samples between the starts of two crops
WINDOW, HOP = 320, 160  # samples, Hann
POWER = 0.3  # by which magnitudes are compressed
FLOOR = 1e-12
CHANNELS = (64, 64, 128, 256, 256, 256)
FEATURES = CHANNELS[-1] * 4  # bands that are left of 161
FRAMES, WIDTH, HEADS, LAYERS = 384, 200, 8, 7  # of the transformer
OWN_NAMES = {  # of the parts, by the published names
    "cnn.cnn": "convolutions",
    "transformer_pool_attn.norm_input": "norms.0",
    "transformer_pool_attn.transformer.norm": "norms.1",
    "transformer_pool_attn.transformer.linear_proj": "narrow",
    "transformer_pool_attn.transformer.position_encoding.pe": "positions",
    "transformer_pool_attn.transformer.transformer_encoder": "transformer",
    "transformer_pool_attn.norm_trans": "norm",
    "transformer_pool_attn.pool.linear1": "attend.0",
    "transformer_pool_attn.pool.linear2": "attend.2",
    "transformer_pool_attn.pool.linear3": "rate",
}


class DistillMOS(nn.Module):
    """The network of Stahl & Gamper, "Distillation and Pruning for Scalable
    Self-Supervised Representation-Based Speech Quality Assessment", 2025 (variant 7).

    Convolutions over a compressed complex spectrogram, a transformer, and a mean over time that is
    weighted by attention.
    """

    def __init__(self) -> None:
        """Build with random weights."""
        super().__init__()
        layers: list[nn.Module] = []
        for index, (before, after) in enumerate(zip((2, *CHANNELS), CHANNELS, strict=False)):
            stride = (2 if index else 1, 2 if index == len(CHANNELS) - 1 else 1)
            layers += [nn.Conv2d(before, after, 3, stride, (0, 1)), nn.LeakyReLU(0.1)]
        self.convolutions = nn.Sequential(*layers)
        self.norms = nn.Sequential(nn.BatchNorm1d(FEATURES), nn.BatchNorm1d(FEATURES))
        self.narrow = nn.Linear(FEATURES, WIDTH)
        self.register_buffer("positions", torch.zeros(1, FRAMES, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, 0.0, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, LAYERS)
        self.norm = nn.BatchNorm1d(WIDTH)
        self.attend = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.ReLU(), nn.Linear(2 * WIDTH, 1))
        self.rate = nn.Linear(WIDTH, 1)

    def forward(self, crop: Tensor) -> Tensor:
        """Rate audio (`CROP`,) at 16 kHz: a number from 1 to 5."""
        audio = crop / (crop.abs().max() + 1e-8)
        features = self.convolutions(_compressed(audio)[None]).flatten(1, 2)
        x = self.narrow(self.norms(features).mT) + self.positions
        x = self.norm(self.transformer(x).mT).mT
        weights = F.softmax(self.attend(x), dim=1)
        rating: Tensor = 1 + 4 * torch.sigmoid(self.rate(weights.mT @ x)).squeeze()
        return rating


def distill_mos(degraded: Signal) -> float:
    """Return the rating of a signal (n,), n > 0, at 16 kHz, not silent.

    Equal to `distillmos.ConvTransformerSQAModel`: the mean over crops of 7.68 s that lie at most
    a second apart; a shorter signal ends in silence.
    """
    audio = torch.from_numpy(degraded.astype(np.float32))
    spare = max(audio.numel() - CROP, 0)
    audio = F.pad(audio, (0, max(CROP - audio.numel(), 0)))
    shares = np.linspace(0, 1, math.ceil(spare / MOST_APART) + 1)
    network = _network()
    with torch.inference_mode():
        ratings = [network(audio[int(share * spare) :][:CROP]) for share in shares]
    return float(torch.stack(ratings).mean())


def _compressed(audio: Tensor) -> Tensor:
    """Return the real and the imaginary part (2, 161, frames) of a spectrogram."""
    ends = (WINDOW - HOP) // 2
    padded = F.pad(audio[None], (ends, ends), mode="reflect")[0]
    spectrum = torch.stft(
        padded, WINDOW, HOP, window=torch.hann_window(WINDOW), center=False, return_complex=True
    )
    magnitude = spectrum.abs().clamp_min(FLOOR)
    return torch.view_as_real(magnitude**POWER * spectrum / magnitude).permute(2, 0, 1)


@cache
def _network() -> DistillMOS:
    torch.set_num_threads(1)  # workers share the machine
    needs = METRICS["distillmos"].needs
    path = packaged("distillmos", "weights/distill_mos_v7.pt", needs)
    network = DistillMOS()
    network.load_state_dict(_renamed(read_state(path, PUBLISHED, "model", needs)))
    return network.eval()


def _renamed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for name, tensor in tensors.items():
        (part,) = (part for part in OWN_NAMES if name == part or name.startswith(f"{part}."))
        renamed[OWN_NAMES[part] + name.removeprefix(part)] = tensor
    return renamed
