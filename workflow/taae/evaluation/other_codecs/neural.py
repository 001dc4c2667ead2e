"""Codecs with published weights, through transformers: EnCodec, DAC and Mimi."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor

from taae.evaluation.other_codecs.codec import QUALITY, Audio, Coded
from taae.evaluation.other_codecs.config import OtherCodec
from taae.utils.errors import TaaeError
from taae.utils.huggingface import load_network
from taae.utils.sample_rate import SAMPLE_RATE

CLASSES = {"encodec": "EncodecModel", "dac": "DacModel", "mimi": "MimiModel"}


class NeuralCodec:
    """A neural codec at one operating point; bits are codes x log2(size of a codebook).

    Its convolutions are padded so that nothing is delayed. Input is padded with zeros to whole
    frames, output cut to the length of the input.
    """

    delay = 0

    def __init__(self, settings: OtherCodec) -> None:
        """Load the weights.

        Raises:
            NotInstalled: the package or the weights are not there.
            TaaeError: the weights are of another codec, or it has no such operating point.
        """
        self.settings = settings
        self.model = load_network(CLASSES[settings.kind], settings.kind, settings.weights)
        config = self.model.config
        if getattr(config, "audio_channels", 1) != 1:
            raise TaaeError(
                f"{settings.weights}: codes {config.audio_channels} channels; mono is needed"
            )
        self.rate = int(config.sampling_rate)
        self.options = _options(settings, config)
        self.model = self.model.eval()
        self.version = f"transformers {version('transformers')}"

    @torch.inference_mode()
    def __call__(self, audio: Audio) -> Coded:
        """Code (n,) at 16 kHz."""
        own = soxr.resample(audio, SAMPLE_RATE, self.rate, quality=QUALITY)
        padded = np.zeros(-(-own.size // self._frame) * self._frame, np.float32)
        padded[: own.size] = own
        wave = torch.from_numpy(padded)[None, None]
        encoded = self.model.encode(wave, **self.options)
        codes: Tensor = encoded.audio_codes
        scales = {"audio_scales": encoded.audio_scales} if self.settings.kind == "encodec" else {}
        # The codes alone are decoded: an encoder may also hand out what was not quantized.
        decoded = self.model.decode(audio_codes=codes, **scales).audio_values
        samples = decoded.flatten().float().cpu().numpy()[: own.size]
        wide = soxr.resample(samples, self.rate, SAMPLE_RATE, quality=QUALITY)
        bits = codes.numel() * math.log2(self.model.config.codebook_size)
        return Coded(wide, round(bits), codes.shape[-1])

    @property
    def _frame(self) -> int:
        """Samples of a frame."""
        config = self.model.config
        if self.settings.kind == "dac":
            return int(config.hop_length)
        if self.settings.kind == "mimi":
            return int(config.sampling_rate / config.frame_rate)
        return int(math.prod(config.upsampling_ratios))


def _options(settings: OtherCodec, config: Any) -> dict[str, float]:
    """Return what sets the operating point, for `encode`."""
    if settings.kind == "encodec":
        assert settings.bitrate is not None
        bandwidth = settings.bitrate / 1000
        if bandwidth not in config.target_bandwidths:
            known = ", ".join(f"{1000 * known:g}" for known in config.target_bandwidths)
            raise TaaeError(
                f"bitrate: {settings.weights} has {known} bit/s, not {settings.bitrate:g}"
            )
        return {"bandwidth": bandwidth}
    assert settings.quantizers is not None
    most = config.n_codebooks if settings.kind == "dac" else config.num_quantizers
    if settings.quantizers > most:
        raise TaaeError(f"quantizers: {settings.weights} has {most}, not {settings.quantizers}")
    name = "n_quantizers" if settings.kind == "dac" else "num_quantizers"
    return {name: settings.quantizers}
