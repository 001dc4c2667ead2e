"""The geometry of a codec's layers, without a tensor: reach, parameters, operations, state.

`taae.codec.complexity` adds these up to the costs of a codec, and a convolutional codec gets its
channels from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from taae.codec.config import Attention, Bottleneck, Model
from taae.codec.window import window_sides

Span = tuple[int, int]  # first and last index, both included
WIDEST_STRIDE = 8  # of a convolutional codec, unless the hop has a larger prime factor


@dataclass(frozen=True)
class LayerGeometry:
    """How far one layer reaches, and what it costs.

    Output j depends on the inputs j * stride - left .. j * stride + right. A transposed layer is
    the mirror image: input j reaches the outputs j * stride - left .. j * stride + right.

    Attributes:
        parameters: numbers that are trained.
        macs: multiplications with addition per frame, at the slower of the layer's two rates.
        state: numbers that a stream keeps of the past.
    """

    stride: int
    left: int
    right: int
    transposed: bool = False
    parameters: int = 0
    macs: int = 0
    state: int = 0

    def inputs_of(self, outputs: Span) -> Span:
        """Return the inputs that a span of outputs depends on."""
        first, last = outputs
        if self.transposed:
            return -((self.right - first) // self.stride), (last + self.left) // self.stride
        return first * self.stride - self.left, last * self.stride + self.right


def codec_layers(
    model: Model, attention: Attention, bottleneck: Bottleneck
) -> tuple[list[LayerGeometry], list[LayerGeometry]]:
    """Return the layers of the encoder and of the decoder, in the order of computation."""
    if model.kind == "conv":
        channels, strides = conv_shape(model, attention, bottleneck)
        return _conv_layers(channels, strides, attention.causal, bottleneck.dimensions)
    width, causal = model.width, attention.causal
    transformers = [[_transformer_layer(model, attention)] * depth for depth in model.layers]
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


def framing(patch: int, transposed: bool = False) -> LayerGeometry:
    """`patch` samples become one frame, or one frame becomes `patch` samples."""
    return LayerGeometry(patch, 0, patch - 1, transposed)


def convolution(inputs: int, outputs: int, kernel: int, causal: bool) -> LayerGeometry:
    """Convolution of odd kernel with bias, "same" length."""
    around = kernel - 1
    return LayerGeometry(
        stride=1,
        left=around if causal else around // 2,
        right=0 if causal else around // 2,
        parameters=outputs * (inputs * kernel + 1),
        macs=outputs * inputs * kernel,
        state=around * inputs,
    )


def resampling(
    fast: int, slow: int, stride: int, causal: bool, transposed: bool = False
) -> LayerGeometry:
    """Convolution with bias, kernel 2 * stride, down or up by `stride`.

    Args:
        fast: features at the faster rate.
        slow: features at the slower rate.
    """
    past = 0 if transposed else stride
    left = past if causal else stride // 2
    weights = fast * slow * 2 * stride
    return LayerGeometry(
        stride=stride,
        left=left,
        right=2 * stride - 1 - left,
        transposed=transposed,
        parameters=weights + (fast if transposed else slow),
        macs=weights,
        state=slow if transposed else stride * fast,
    )


def _transformer_layer(model: Model, attention: Attention) -> LayerGeometry:
    """Attention within its window, and the feed-forward network of single frames."""
    left, right = window_sides(attention.window, attention.causal)
    width = model.width
    matrices = (4 + 3 * model.ff_mult) * width**2
    biases = (2 * model.ff_mult + 1) * width + 2 * model.head_dim if model.biases else 0
    return LayerGeometry(
        stride=1,
        left=left,
        right=right,
        parameters=matrices + 4 * width + 2 * model.head_dim + biases,
        macs=matrices + 2 * attention.window * width,
        state=2 * left * width,
    )


def conv_shape(
    model: Model, attention: Attention, bottleneck: Bottleneck
) -> tuple[list[int], list[int]]:
    """Return channels at each rate and strides between them, from the waveform inwards.

    The channels double with each stride, and are as many as come nearest to the number of
    parameters of the TAAE of the same config. The product of the strides is its hop.
    """
    twin = replace(model, kind="taae")
    budget = parameter_count(twin, attention, bottleneck)
    strides = conv_strides(model.hop)

    def channels(size: int) -> list[int]:
        # Even, for the halves within residual units; in steps finer than doubling 2, 4, 6 ...
        return [2 * max(1, round(size * 2**depth / 16)) for depth in range(len(strides) + 1)]

    def excess(size: int) -> int:
        layers = _conv_layers(channels(size), strides, attention.causal, bottleneck.dimensions)
        return _parameters(*layers) - budget

    size = 1
    while excess(size + 1) <= 0:
        size += 1
    return channels(min(size, size + 1, key=lambda each: abs(excess(each)))), strides


def conv_strides(hop: int) -> list[int]:
    """Return strides, rising, that multiply to `hop`: as few as the widest allows.

    >>> conv_strides(640)
    [2, 5, 8, 8]
    """
    strides = []
    while hop > 1:
        divisors = [stride for stride in range(2, WIDEST_STRIDE + 1) if hop % stride == 0]
        stride = max(divisors) if divisors else next(n for n in range(2, hop + 1) if hop % n == 0)
        strides.append(stride)
        hop //= stride
    return sorted(strides)


def _conv_layers(
    channels: list[int], strides: list[int], causal: bool, dimensions: int
) -> tuple[list[LayerGeometry], list[LayerGeometry]]:
    """Return the layers of `taae.codec.conv`."""
    encoder, decoder = (
        [convolution(1, channels[0], 7, causal)],
        [convolution(channels[0], 1, 7, causal)],
    )
    for stride, fast, slow in zip(strides, channels, channels[1:], strict=False):
        unit = [convolution(fast, fast // 2, 3, causal), convolution(fast // 2, fast, 1, causal)]
        encoder += [*unit, resampling(fast, slow, stride, causal)]
        decoder += [*unit[::-1], resampling(fast, slow, stride, causal, transposed=True)]
    encoder.append(convolution(channels[-1], dimensions, 3, causal))
    decoder.append(convolution(dimensions, channels[-1], 3, causal))
    return encoder, decoder[::-1]


def parameter_count(model: Model, attention: Attention, bottleneck: Bottleneck) -> int:
    """Return how many numbers of a codec are trained."""
    return _parameters(*codec_layers(model, attention, bottleneck))


def _parameters(*parts: Sequence[LayerGeometry]) -> int:
    return sum(layer.parameters for part in parts for layer in part)


def receptive_span(layers: Sequence[LayerGeometry], outputs: Span) -> Span:
    """Return the inputs of `layers` that a span of their outputs depends on.

    Indices go on without end in both directions; a recording cuts them at its own ends.
    """
    for layer in reversed(layers):
        outputs = layer.inputs_of(outputs)
    return outputs
