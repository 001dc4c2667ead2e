"""What a codec costs: reach, latency, state, parameters and FLOPs, from its config alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from taae.codec.config import CodecConfig
from taae.codec.layer_geometry import LayerGeometry, Span, codec_layers, parameter_count
from taae.utils.sample_rate import SAMPLE_RATE

FLOAT_BYTES = 4  # streaming runs in float32


@dataclass(frozen=True)
class Profile:
    """What a codec costs. Reach and latency are in samples at 16 kHz, from the waveform to a
    decoded sample; maxima over the samples of a latent frame.

    Attributes:
        receptive_field: from the first to the last input sample that one output depends on.
        look_ahead: input that one output waits for beyond the end of its own latent frame.
        latency: algorithmic latency: the longest that a decoded sample waits for its last input
            sample, itself included. A model with look-ahead streams with this delay.
        state_bytes: the state of a stream in float32; None where the model looks ahead.
        parameters: numbers that are trained.
        flops_per_second: of audio; a multiplication with addition counts as two. Convolutions,
            matrix products and attention over full windows; not norms and activations.
    """

    receptive_field: int
    look_ahead: int
    latency: int
    state_bytes: int | None
    parameters: int
    flops_per_second: float


def milliseconds(samples: int) -> float:
    """Return the duration of samples in milliseconds."""
    return 1000 * samples / SAMPLE_RATE


def profile(config: CodecConfig) -> Profile:
    """Return the costs of a codec."""
    encoder, decoder = codec_layers(config)
    layers, hop = [*encoder, *decoder], config.model.hop
    spans = [receptive_span(layers, (sample, sample)) for sample in range(hop)]
    state = FLOAT_BYTES * sum(layer.state for layer in layers)
    return Profile(
        receptive_field=max(last - first + 1 for first, last in spans),
        look_ahead=max(last for _, last in spans) - (hop - 1),
        latency=1 + max(last - sample for sample, (_, last) in enumerate(spans)),
        state_bytes=state if config.attention.causal else None,
        parameters=parameter_count(config),
        flops_per_second=2 * float(_macs(encoder) + _macs(decoder[::-1])),
    )


def receptive_span(layers: Sequence[LayerGeometry], outputs: Span) -> Span:
    """Return the inputs of `layers` that a span of their outputs depends on.

    Indices go on without end in both directions; a recording cuts them at its own ends.
    """
    for layer in reversed(layers):
        outputs = layer.inputs_of(outputs)
    return outputs


def _macs(layers: Iterable[LayerGeometry]) -> Fraction:
    """Return the multiply-adds per second of layers in the order of falling rates."""
    rate, total = Fraction(SAMPLE_RATE), Fraction(0)
    for layer in layers:
        rate /= layer.stride
        total += rate * layer.macs
    return total
