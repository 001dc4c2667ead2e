"""MOSNet, a listener's rating without a reference, by the network of Lo et al. (2019).

Its published weights are known by their hash, and read without running anything.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import urllib.request
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from taae.evaluation.metrics import MOSNET_HELP
from taae.evaluation.scoring.signal_metrics import Signal, magnitudes
from taae.utils.errors import TaaeError
from taae.utils.files import atomic

PUBLISHED = "560a12c9f4b4cc67335bdd038676aced251e7013"  # git's hash of cnn_blstm.h5
LARGEST = 2**26  # bytes; no download may fill the disk
TIMEOUT = 60.0  # seconds
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
        self.convolutions, before = nn.ModuleList(), 1
        for channels in CHANNELS:
            for stride in STRIDES:
                self.convolutions.append(nn.Conv2d(before, channels, 3, stride=(1, stride)))
                before = channels
        self.lstm = nn.LSTM(BANDS * CHANNELS[-1], UNITS, batch_first=True, bidirectional=True)
        self.hidden = nn.Linear(2 * UNITS, 128)
        self.frame = nn.Linear(128, 1)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Rate each frame: magnitudes (frames, 257) -> (frames,)."""
        x = spectrogram[None, None]
        for index, convolution in enumerate(self.convolutions):
            low, high = same_padding(x.shape[-1], STRIDES[index % len(STRIDES)])
            x = F.relu(convolution(F.pad(x, (low, high, 1, 1))))
        x, _ = self.lstm(x.permute(0, 2, 3, 1).flatten(2))  # frequency before channel, as in Keras
        scores: Tensor = self.frame(F.relu(self.hidden(x)))[0, :, 0]
        return scores

    def load_keras(self, arrays: Sequence[NDArray[np.float32]]) -> None:
        """Take over what `read_weights` gives; both libraries order an LSTM's gates i, f, c, o.

        Raises:
            TaaeError: the arrays are of another network.
        """
        # Keras has one bias in an LSTM, and a kernel's inputs and outputs last.
        own = [tensor for name, tensor in self.named_parameters() if "bias_hh" not in name]
        arrays = [array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T for array in arrays]
        if [array.shape for array in arrays] != [tuple(tensor.shape) for tensor in own]:
            raise TaaeError(f"not the layers of MOSNet's CNN-BLSTM. {MOSNET_HELP}")
        with torch.no_grad():
            for tensor in self.parameters():
                tensor.zero_()
            for tensor, array in zip(own, arrays, strict=True):
                tensor.copy_(torch.from_numpy(array))


def same_padding(size: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's "same" padding for a kernel of 3, before and after: an odd zero after."""
    total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
    return total // 2, total - total // 2


def mosnet(degraded: Signal, weights: Path) -> float:
    """Return the rating of a signal (n,), n > 256, at 16 kHz: the mean over its frames."""
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


def fetch_weights(source: str, output: Path, expected: str = PUBLISHED) -> None:
    """Bring the weights from a path or an https URL to `output`, unless they are there.

    Raises:
        TaaeError: they cannot be had, or are not the file whose git hash is `expected`.
    """
    if output.is_file() and blob_hash(output.read_bytes()) == expected:
        return
    content = _content(source, expected)
    with atomic(output) as temporary:
        temporary.write_bytes(content)


def read_weights(path: Path, expected: str = PUBLISHED) -> list[NDArray[np.float32]]:
    """Return the arrays of a Keras HDF5 file in the order of its layers.

    Data sets alone are read: what a Keras file describes as code is never looked at.

    Raises:
        TaaeError: as `fetch_weights`, or the file is no Keras file.
    """
    import h5py

    content = _content(str(path), expected)
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            model = file.get("model_weights", file)  # a whole model, or only its weights
            return [
                np.asarray(model[layer][name][()], dtype=np.float32)
                for layer in _names(model.attrs["layer_names"])
                for name in _names(model[layer].attrs["weight_names"])
            ]
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise TaaeError(f"{path}: no Keras weights ({error}). {MOSNET_HELP}") from error


def _names(attribute: Any) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in attribute]


def _content(source: str, expected: str) -> bytes:
    try:
        if "://" not in source:
            content = Path(source).read_bytes()
        elif source.startswith("https://"):
            with urllib.request.urlopen(source, timeout=TIMEOUT) as reply:
                content = reply.read(LARGEST + 1)
        else:
            raise TaaeError(f"{source}: not an https URL. {MOSNET_HELP}")
    except (OSError, ValueError, http.client.HTTPException) as error:
        problem = getattr(error, "strerror", None) or error
        raise TaaeError(f"{source}: cannot be read ({problem}). {MOSNET_HELP}") from error
    found = blob_hash(content)
    if found != expected:
        raise TaaeError(
            f"{source}: not the published weights: its git hash is {found} ({len(content)} bytes),"
            f" not {expected}. {MOSNET_HELP}"
        )
    return content


def blob_hash(content: bytes) -> str:
    """Return the SHA-1 that git knows a file by."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
