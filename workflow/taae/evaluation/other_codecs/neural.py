"""Codecs with published weights, through transformers: EnCodec, DAC and Mimi."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from taae.evaluation.decoded_files import Audio, Coded, fit
from taae.evaluation.other_codecs.config import DacSettings, EncodecSettings, MimiSettings
from taae.utils.errors import TaaeError
from taae.utils.huggingface import load_network

Published = EncodecSettings | DacSettings | MimiSettings
CLASSES = {"encodec": "EncodecModel", "dac": "DacModel", "mimi": "MimiModel"}


class NeuralCodec:
    """A neural codec at one operating point; bits are codes x log2(size of a codebook).

    Its convolutions are padded so that nothing is delayed. Input is padded with zeros to whole
    frames, output cut to the length of the input.
    """

    bitrate = None

    def __init__(self, settings: Published) -> None:
        """Load the weights.

        Raises:
            NotInstalled: the package or the weights are not there.
            TaaeError: the weights are of another codec, or it has no such operating point.
        """
        self.kind = settings.kind
        self.model = load_network(CLASSES[self.kind], self.kind, settings.weights).eval()
        self.version = f"transformers {version('transformers')}"
        config = self.model.config
        if getattr(config, "audio_channels", 1) != 1:
            raise TaaeError(
                f"{settings.weights}: codes {config.audio_channels} channels; mono is needed"
            )
        self.rate = int(config.sampling_rate)
        self.frame = int(config.frame_size if self.kind == "mimi" else config.hop_length)  # samples
        self.options = _options(settings, config)

    @torch.inference_mode()
    def __call__(self, audio: Audio, _: str) -> Coded:
        """Code (n,) at the codec's rate."""
        padded = fit(audio, -(-audio.size // self.frame) * self.frame)
        encoded = self.model.encode(torch.from_numpy(padded)[None, None], **self.options)
        codes: Tensor = encoded.audio_codes
        scales = {"audio_scales": encoded.audio_scales} if self.kind == "encodec" else {}
        # The codes alone are decoded: an encoder may also hand out what was not quantized.
        decoded = self.model.decode(audio_codes=codes, **scales).audio_values
        bits = round(codes.numel() * math.log2(self.model.config.codebook_size))
        samples = decoded.flatten().float().cpu().numpy()[: audio.size]
        return Coded(samples, codes.shape[-1], bits)


def _options(settings: Published, config: Any) -> dict[str, float]:
    """Return what sets the operating point, for `encode`."""
    if settings.kind == "encodec":
        bandwidth = settings.bitrate / 1000
        if bandwidth not in config.target_bandwidths:
            known = ", ".join(f"{1000 * known:g}" for known in config.target_bandwidths)
            raise TaaeError(
                f"bitrate: {settings.weights} has {known} bit/s, not {settings.bitrate:g}"
            )
        return {"bandwidth": bandwidth}
    most = config.n_codebooks if settings.kind == "dac" else config.num_quantizers
    if settings.quantizers > most:
        raise TaaeError(f"quantizers: {settings.weights} has {most}, not {settings.quantizers}")
    name = "n_quantizers" if settings.kind == "dac" else "num_quantizers"
    return {name: settings.quantizers}
