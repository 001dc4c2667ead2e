"""MOSNet's published weights: fetched once, known by their hash, read without running anything."""

from __future__ import annotations

import hashlib
import http.client
import io
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taae.evaluation.metrics import MOSNET_HELP
from taae.utils.errors import TaaeError
from taae.utils.files import atomic

Arrays = list[NDArray[np.float32]]

PUBLISHED = "560a12c9f4b4cc67335bdd038676aced251e7013"  # git's hash of cnn_blstm.h5
LARGEST = 2**26  # bytes; no download may fill the disk
TIMEOUT = 60.0  # seconds

_CONVOLUTIONS = [(1, 16), (16, 16), (16, 16), (16, 32), (32, 32), (32, 32), (32, 64), (64, 64)]
_CONVOLUTIONS += [(64, 64), (64, 128), (128, 128), (128, 128)]
_LSTM = [(512, 512), (128, 512), (512,)]  # kernel, recurrent kernel, bias; 4 gates of 128 units
SHAPES: list[tuple[int, ...]] = [
    *[shape for pair in _CONVOLUTIONS for shape in ((3, 3, *pair), (pair[1],))],
    *_LSTM,  # forward
    *_LSTM,  # backward
    *[(256, 128), (128,), (128, 1), (1,)],
]


def fetch_weights(source: str, output: Path, expected: str = PUBLISHED) -> None:
    """Bring the weights from a path or an https URL to `output`, unless they are there.

    Raises:
        TaaeError: they cannot be had, or are not the file whose git hash is `expected`.
    """
    if output.is_file() and blob_hash(output.read_bytes()) == expected:
        return
    content = _download(source) if "://" in source else _read(Path(source))
    _check(content, source, expected)
    with atomic(output) as temporary:
        temporary.write_bytes(content)


def read_weights(path: Path, expected: str = PUBLISHED) -> Arrays:
    """Return the arrays of a Keras HDF5 file in the order of its layers, of `SHAPES`.

    Data sets alone are read: what a Keras file describes as code is never looked at.

    Raises:
        TaaeError: as `fetch_weights`, or the file has another layout.
    """
    import h5py

    content = _read(path)
    _check(content, path, expected)
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            arrays = _arrays(file.get("model_weights", file))  # a whole model, or only its weights
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise TaaeError(f"{path}: no Keras weights ({error}). {MOSNET_HELP}") from error
    shapes = [array.shape for array in arrays]
    if shapes != SHAPES:
        raise TaaeError(f"{path}: not the layers of MOSNet's CNN-BLSTM. {MOSNET_HELP}")
    return arrays


def blob_hash(content: bytes) -> str:
    """Return the SHA-1 that git knows a file by."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _arrays(group: Any) -> Arrays:
    found = []
    for layer in _names(group.attrs["layer_names"]):
        for name in _names(group[layer].attrs["weight_names"]):
            found.append(np.asarray(group[layer][name][()], dtype=np.float32))
    return found


def _names(attribute: Any) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in attribute]


def _check(content: bytes, source: str | Path, expected: str) -> None:
    found = blob_hash(content)
    if found != expected:
        raise TaaeError(
            f"{source}: not the published weights: its git hash is {found} ({len(content)} bytes),"
            f" not {expected}. {MOSNET_HELP}"
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TaaeError(f"{path}: {error.strerror}. {MOSNET_HELP}") from error


def _download(url: str) -> bytes:
    if not url.startswith("https://"):
        raise TaaeError(f"{url}: not an https URL. {MOSNET_HELP}")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as reply:
            content: bytes = reply.read(LARGEST + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise TaaeError(f"{url}: cannot be downloaded ({error}). {MOSNET_HELP}") from error
    return content
