"""What a codec costs: reach, latency, state, parameters and FLOPs, from its config alone.

A codec is a chain of links. Each is described by what one output of it sees of its input, by
its weights and by its work; everything else here follows by going along the chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from taae.coverage import window_sides
from taae.study import SAMPLE_RATE, Attention, Bottleneck, Model

FLOAT_BYTES = 4  # streaming runs in float32
Span = tuple[int, int]  # first and last index, both included


@dataclass(frozen=True)
class Link:
    """One link of the chain: a layer, as far as it reaches and costs.

    Output j sees the inputs j * stride - left .. j * stride + right. A transposed link is the
    mirror image: input j is seen by the outputs j * stride - left .. j * stride + right.

    Attributes:
        parameters: numbers that are trained.
        macs: multiplications with addition per frame, at the slower of the link's two rates.
        state: numbers that a stream keeps of the past.
    """

    stride: int
    left: int
    right: int
    transposed: bool = False
    parameters: int = 0
    macs: int = 0
    state: int = 0

    def sees(self, outputs: Span) -> Span:
        """Return the inputs that some of a stretch of outputs depends on."""
        return self._gathered(outputs) if self.transposed else self._spread(outputs)

    def reaches(self, inputs: Span) -> Span:
        """Return the outputs that depend on some of a stretch of inputs."""
        return self._spread(inputs) if self.transposed else self._gathered(inputs)

    def _spread(self, span: Span) -> Span:
        return span[0] * self.stride - self.left, span[1] * self.stride + self.right

    def _gathered(self, span: Span) -> Span:
        return -((self.right - span[0]) // self.stride), (span[1] + self.left) // self.stride


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
        encoder: of a latent frame, seen from the waveform.
        decoder: of a sample, seen from the latent frames, each `hop` samples long.
        codec: of a decoded sample, seen from the waveform.
        latency_samples: algorithmic latency: the longest that a decoded sample waits for its
            last input sample, itself included. A model with look-ahead streams with this delay.
        state_bytes: what a stream keeps in float32; None where the model does not stream.
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
    encoder, decoder = links(model, attention, bottleneck)
    chain, hop = [*encoder, *decoder], model.hop
    phases = range(hop)
    frame = sees(encoder, (0, 0))
    latents = [sees(decoder, (sample, sample)) for sample in phases]
    samples = [sees(chain, (sample, sample)) for sample in phases]
    latency = 1 + max(last - sample for sample, (_, last) in zip(phases, samples, strict=True))
    return Profile(
        encoder=Reach(_length(frame), frame[1] - (hop - 1)),
        decoder=Reach(max(map(_length, latents)) * hop, max(last for _, last in latents) * hop),
        codec=Reach(max(map(_length, samples)), max(last for _, last in samples) - (hop - 1)),
        latency_samples=latency,
        state_bytes=FLOAT_BYTES * sum(link.state for link in chain) if attention.causal else None,
        parameters=sum(link.parameters for link in chain),
        flops_per_second=2 * float(_macs(encoder) + _macs(decoder[::-1])),
    )


def links(
    model: Model, attention: Attention, bottleneck: Bottleneck
) -> tuple[list[Link], list[Link]]:
    """Return the chains of the encoder and of the decoder, in the order of computation."""
    width, causal = model.width, attention.causal
    transformers = [[_layer(model, attention)] * depth for depth in model.layers]
    encoder = [framing(model.patch), convolution(model.patch, width, 7, causal), *transformers[0]]
    decoder = [
        framing(model.patch, transposed=True),
        convolution(width, model.patch, 7, causal),
        *transformers[0],
    ]
    for stride, layers in zip(model.strides, transformers[1:], strict=True):
        encoder += [resampling(width, width, stride, causal), *layers]
        decoder += [resampling(width, width, stride, causal, transposed=True), *layers]
    encoder.append(convolution(width, bottleneck.dimensions, 3, causal))
    decoder.append(convolution(bottleneck.dimensions, width, 3, causal))
    return encoder, decoder[::-1]


def framing(patch: int, transposed: bool = False) -> Link:
    """`patch` samples become one frame, or one frame becomes samples."""
    return Link(patch, 0, patch - 1, transposed)


def convolution(inputs: int, outputs: int, kernel: int, causal: bool, dilation: int = 1) -> Link:
    """Convolution of odd kernel with bias, "same" length."""
    around = (kernel - 1) * dilation
    return Link(
        stride=1,
        left=around if causal else around // 2,
        right=0 if causal else around // 2,
        parameters=outputs * (inputs * kernel + 1),
        macs=outputs * inputs * kernel,
        state=around * inputs,
    )


def resampling(fast: int, slow: int, stride: int, causal: bool, transposed: bool = False) -> Link:
    """Convolution with bias, kernel 2 * stride, down or up by `stride`.

    Args:
        fast: features at the faster rate.
        slow: features at the slower rate.
    """
    past = 0 if transposed else stride
    left = past if causal else stride // 2
    weights = fast * slow * 2 * stride
    return Link(
        stride=stride,
        left=left,
        right=2 * stride - 1 - left,
        transposed=transposed,
        parameters=weights + (fast if transposed else slow),
        macs=weights,
        state=slow if transposed else stride * fast,
    )


def _layer(model: Model, attention: Attention) -> Link:
    """One transformer layer: attention within its window, and what works on single frames."""
    left, right = window_sides(attention.window, attention.causal)
    width = model.width
    matrices = (4 + 3 * model.ff_mult) * width**2
    return Link(
        stride=1,
        left=left,
        right=right,
        parameters=matrices + 4 * width + 2 * model.head_dim,
        macs=matrices + 2 * attention.window * width,
        state=2 * left * width,
    )


def sees(chain: Sequence[Link], outputs: Span) -> Span:
    """Return the inputs of a chain that some of a stretch of its outputs depends on."""
    for link in reversed(chain):
        outputs = link.sees(outputs)
    return outputs


def reaches(chain: Iterable[Link], inputs: Span) -> Span:
    """Return the outputs of a chain that depend on some of a stretch of its inputs.

    Indices go on without end in both directions; a recording cuts them at its own ends.
    """
    for link in chain:
        inputs = link.reaches(inputs)
    return inputs


def _macs(chain: Iterable[Link]) -> Fraction:
    """Return the work per second of a chain whose links are in the order of falling rates."""
    rate, total = Fraction(SAMPLE_RATE), Fraction(0)
    for link in chain:
        rate /= link.stride
        total += rate * link.macs
    return total


def _length(span: Span) -> int:
    return span[1] - span[0] + 1
