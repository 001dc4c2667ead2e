"""What a codec costs: reach, latency, state, parameters and FLOPs, from its config alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from taae.codec.config import Attention, Bottleneck, Model
from taae.codec.layer_geometry import (
    LayerGeometry,
    Span,
    codec_layers,
    parameter_count,
    receptive_span,
)
from taae.utils.sample_rate import SAMPLE_RATE

FLOAT_BYTES = 4  # streaming runs in float32


@dataclass(frozen=True)
class Reach:
    """How far dependence goes, in samples; maxima over the phases within a latent frame.

    Attributes:
        receptive_field: from the first to the last input sample that one output depends on.
        look_ahead: input that one output waits for beyond the end of its own latent frame.
    """

    receptive_field: int
    look_ahead: int


@dataclass(frozen=True)
class Profile:
    """What a codec costs. Times are at 16 kHz.

    Attributes:
        encoder: from the waveform to a latent frame.
        decoder: from the latent frames, each `hop` samples long, to a sample.
        codec: from the waveform to a decoded sample.
        latency_samples: algorithmic latency: the longest that a decoded sample waits for its
            last input sample, itself included. A model with look-ahead streams with this delay.
        state_bytes: the state of a stream in float32; None where the model looks ahead.
        parameters: numbers that are trained.
        flops_per_second: of audio; a multiplication with addition counts as two. Convolutions,
            matrix products and attention over full windows; not norms and activations.
    """

    encoder: Reach
    decoder: Reach
    codec: Reach
    latency_samples: int
    state_bytes: int | None
    parameters: int
    flops_per_second: float

    @property
    def latency_ms(self) -> float:
        """Algorithmic latency in milliseconds."""
        return milliseconds(self.latency_samples)


def milliseconds(samples: int) -> float:
    """Return the duration of samples in milliseconds."""
    return 1000 * samples / SAMPLE_RATE


def profile(model: Model, attention: Attention, bottleneck: Bottleneck) -> Profile:
    """Return the costs of a codec."""
    encoder, decoder = codec_layers(model, attention, bottleneck)
    layers, hop = [*encoder, *decoder], model.hop
    phases = range(hop)
    frame = receptive_span(encoder, (0, 0))
    latents = [receptive_span(decoder, (sample, sample)) for sample in phases]
    samples = [receptive_span(layers, (sample, sample)) for sample in phases]
    latency = 1 + max(last - sample for sample, (_, last) in zip(phases, samples, strict=True))
    return Profile(
        encoder=Reach(_length(frame), frame[1] - (hop - 1)),
        decoder=Reach(max(map(_length, latents)) * hop, max(last for _, last in latents) * hop),
        codec=Reach(max(map(_length, samples)), max(last for _, last in samples) - (hop - 1)),
        latency_samples=latency,
        state_bytes=FLOAT_BYTES * sum(layer.state for layer in layers)
        if attention.causal
        else None,
        parameters=parameter_count(model, attention, bottleneck),
        flops_per_second=2 * float(_macs(encoder) + _macs(decoder[::-1])),
    )


def _macs(layers: Iterable[LayerGeometry]) -> Fraction:
    """Return the multiply-adds per second of layers in the order of falling rates."""
    rate, total = Fraction(SAMPLE_RATE), Fraction(0)
    for layer in layers:
        rate /= layer.stride
        total += rate * layer.macs
    return total


def _length(span: Span) -> int:
    return span[1] - span[0] + 1
