"""Speaker similarity: the cosine of a network's embeddings of the reference and of the decoded.

Nothing is cut out: both embeddings are of the same stretch of time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from taae.evaluation.metrics import METRICS
from taae.evaluation.scoring.packaged_weights import packaged, read_state
from taae.evaluation.scoring.signal_metrics import Signal
from taae.utils.errors import NotInstalled, TaaeError
from taae.utils.huggingface import load_network, weights_identity
from taae.utils.mel import mel_bank
from taae.utils.sample_rate import SAMPLE_RATE

Embedding = NDArray[np.float32]  # of length one
Encoder = Callable[[Signal], Embedding]

PUBLISHED = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"  # SHA-256
WINDOW, HOP, MELS = 400, 160, 40  # samples, samples, bands of GE2E's frames
FRAMES = 160  # that GE2E hears at once, 1.6 s
STEP = 77  # frames from one start to the next: 1.3 a second
COVERED = 0.75  # of a last stretch that must lie within the signal
LEAST_LEVEL = 10 ** (-30 / 20)  # root mean square to which softer signals are raised
UNITS, LAYERS = 256, 3
REMEMBERED = 1024  # references: those of one operating point are those of the next too


class GE2E(nn.Module):
    """The encoder of "Generalized End-to-End Loss for Speaker Verification" (Wan et al., ICASSP
    2018), as the package Resemblyzer has it."""

    def __init__(self) -> None:
        """Build with random weights."""
        super().__init__()
        self.lstm = nn.LSTM(MELS, UNITS, LAYERS, batch_first=True)
        self.linear = nn.Linear(UNITS, UNITS)

    def forward(self, stretches: Tensor) -> Tensor:
        """Embed Mel powers (n, `FRAMES`, `MELS`): (n, `UNITS`), each of length one."""
        _, (hidden, _) = self.lstm(stretches)
        return F.normalize(F.relu(self.linear(hidden[-1])), dim=1)


def similarity(reference: Signal, degraded: Signal, encoder: str, weights: str) -> float:
    """Return the cosine, at most 1, of the embeddings of signals (n,) at 16 kHz, not silent.

    Args:
        encoder: "ge2e" (at least `COVERED` of 1.6 s) or "wavlm" (at least 0.5 s).
        weights: of `load_encoder`.
    """
    embed, known = load_encoder(encoder, weights), _references(encoder, weights)
    content = hashlib.sha256(reference.tobytes()).digest()
    if content not in known:
        if len(known) >= REMEMBERED:
            known.pop(next(iter(known)))  # the oldest
        known[content] = embed(reference)
    return min(1.0, float(known[content] @ embed(degraded)))


@cache
def load_encoder(encoder: str, weights: str) -> Encoder:
    """Return what embeds a signal.

    Args:
        weights: of "ge2e" a file, or empty for the installed package's; of "wavlm" a folder that
            `from_pretrained` reads, or a repository of the Hugging Face hub.

    Raises:
        TaaeError: the weights cannot be had, or are others than they should be.
    """
    torch.set_num_threads(1)  # workers share the machine
    return _load_ge2e(weights) if encoder == "ge2e" else _load_wavlm(weights)


def wavlm_settings(weights: str) -> str:
    """Return what tells values by these weights from values by others."""
    identity = weights_identity(weights)
    if "repository" in identity:
        return f"{METRICS['speaker_wavlm'].settings} {identity['repository']}"
    content = "".join(identity[name] for name in sorted(identity))
    return f"{METRICS['speaker_wavlm'].settings}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def stretches(signal: Signal) -> NDArray[np.float32]:
    """Return GE2E's Mel powers (n, `FRAMES`, `MELS`): overlapping stretches of a signal.

    As Resemblyzer's `normalize_volume` (which raises, never lowers) and `embed_utterance` do. Its
    removal of silence is left out: it would cut the two signals differently.
    """
    level = np.sqrt(np.mean(signal**2))
    signal = signal * max(1.0, LEAST_LEVEL / level)
    frames = -(-(signal.size + 1) // HOP)
    starts = list(range(0, max(1, frames - FRAMES + STEP + 1), STEP))
    if len(starts) > 1 and signal.size - starts[-1] * HOP < COVERED * FRAMES * HOP:
        starts.pop()
    missing = max(0, (starts[-1] + FRAMES) * HOP - signal.size)
    padded = np.pad(signal, (WINDOW // 2, WINDOW // 2 + missing))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum = np.fft.rfft(windows * np.hanning(WINDOW + 1)[:-1])
    mels = (spectrum.real**2 + spectrum.imag**2) @ mel_bank(WINDOW, MELS).T
    return np.stack([mels[start:][:FRAMES] for start in starts]).astype(np.float32)


def _load_ge2e(weights: str) -> Encoder:
    needs = METRICS["speaker_ge2e"].needs
    path = Path(weights) if weights else packaged("resemblyzer", "pretrained.pt", needs)
    network = GE2E()
    state = read_state(path, PUBLISHED, "model_state", needs)
    network.load_state_dict({name: state[name] for name in network.state_dict()})
    network.eval()

    def embed(signal: Signal) -> Embedding:
        with torch.inference_mode():
            return _unit(network(torch.from_numpy(stretches(signal))).mean(0))

    return embed


def _load_wavlm(weights: str) -> Encoder:
    try:
        network: Any = load_network("WavLMForXVector", "wavlm", weights).eval()
        import transformers

        local = Path(weights).is_dir()
        extractor: Any = transformers.AutoFeatureExtractor
        prepare = extractor.from_pretrained(weights, local_files_only=local)
    except (NotInstalled, OSError, ValueError) as error:
        raise TaaeError(f"metrics.speaker.wavlm_weights: {error}") from error

    def embed(signal: Signal) -> Embedding:
        given = prepare(signal.astype(np.float32), sampling_rate=SAMPLE_RATE, return_tensors="pt")
        with torch.inference_mode():
            return _unit(network(input_values=given["input_values"]).embeddings[0])

    return embed


def _unit(embedding: Tensor) -> Embedding:
    unit: Embedding = F.normalize(embedding, dim=0).numpy()
    return unit


@cache
def _references(encoder: str, weights: str) -> dict[bytes, Embedding]:  # noqa: ARG001
    """Return the embeddings of references by content, one dictionary for each encoder."""
    return {}
