"""MOSNet, a listener's rating without a reference, by the network of Lo et al. (2019)."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from taae.evaluation.scoring.mosnet_weights import Arrays, read_weights
from taae.evaluation.scoring.signal_metrics import Signal, magnitudes

WINDOW, HOP = 512, 256  # samples
# The authors hand scipy's function itself to librosa 0.7, which then takes the symmetric form.
HAMMING = np.hamming(WINDOW)
CHANNELS = (16, 32, 64, 128)  # of the four groups of three convolutions
STRIDES = (1, 1, 3)  # over frequency, within a group: 257 -> 86 -> 29 -> 10 -> 4
BANDS = 4
UNITS = 128


class MOSNet(nn.Module):
    """The CNN-BLSTM of "MOSNet: Deep Learning based Objective Assessment for Voice Conversion"
    (Lo et al., Interspeech 2019), as its authors' TensorFlow 2 code computes it.

    There the gates of the LSTM are plain sigmoids (hard ones were the default of TensorFlow 1).
    """

    def __init__(self) -> None:
        """Build with random weights."""
        super().__init__()
        sizes = [1, *(channels for channels in CHANNELS for _ in STRIDES)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=(1, stride))
            for (before, after), stride in zip(
                pairwise(sizes), STRIDES * len(CHANNELS), strict=True
            )
        )
        self.lstm = nn.LSTM(BANDS * CHANNELS[-1], UNITS, batch_first=True, bidirectional=True)
        self.hidden = nn.Linear(2 * UNITS, 128)
        self.frame = nn.Linear(128, 1)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Rate each frame: magnitudes (frames, 257) -> (frames,)."""
        x = spectrogram[None, None]
        for convolution, stride in zip(self.convolutions, STRIDES * len(CHANNELS), strict=True):
            low, high = same_padding(x.shape[-1], stride)
            x = F.relu(convolution(F.pad(x, (low, high, 1, 1))))
        x, _ = self.lstm(x.permute(0, 2, 3, 1).flatten(2))  # frequency before channel, as in Keras
        scores: Tensor = self.frame(F.relu(self.hidden(x)))[0, :, 0]
        return scores

    def load_keras(self, arrays: Arrays) -> None:
        """Take the weights over, in the order and the shapes of `mosnet_weights.SHAPES`."""
        rest = iter(arrays)

        def take(parameter: Any, *axes: int) -> None:
            parameter.copy_(torch.from_numpy(next(rest).transpose(axes)))

        with torch.no_grad():
            for convolution in self.convolutions:
                take(convolution.weight, 3, 2, 0, 1)
                take(convolution.bias, 0)
            for direction in ("", "_reverse"):  # both libraries order the gates i, f, c, o
                take(getattr(self.lstm, f"weight_ih_l0{direction}"), 1, 0)
                take(getattr(self.lstm, f"weight_hh_l0{direction}"), 1, 0)
                take(getattr(self.lstm, f"bias_ih_l0{direction}"), 0)
                getattr(self.lstm, f"bias_hh_l0{direction}").zero_()  # Keras has one bias
            for layer in (self.hidden, self.frame):
                take(layer.weight, 1, 0)
                take(layer.bias, 0)


def same_padding(size: int, stride: int, kernel: int = 3) -> tuple[int, int]:
    """Return TensorFlow's "same" padding before and after: the odd zero comes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def mosnet(degraded: Signal, weights: Path) -> float:
    """Return the rating of a signal (n,), n > 256, at 16 kHz: the mean over its frames.

    Raises:
        TaaeError: `weights` is not the published file.
    """
    spectrogram = magnitudes(degraded, HAMMING, HOP).T
    with torch.inference_mode():
        scores = _network(weights)(torch.from_numpy(spectrogram.astype(np.float32)))
    return float(scores.mean())


@cache
def _network(weights: Path) -> MOSNet:
    torch.set_num_threads(1)  # workers share the machine
    network = MOSNet()
    network.load_keras(read_weights(weights))
    return network.eval()
