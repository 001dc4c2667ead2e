"""The geometry of a codec's layers, without a tensor: reach, parameters, operations, state.

`taae.codec.complexity` adds these up to the costs of a codec, and a convolutional codec gets its
channels from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from taae.codec.attention_window import window_sides
from taae.codec.config import CodecConfig

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


def codec_layers(config: CodecConfig) -> tuple[list[LayerGeometry], list[LayerGeometry]]:
    """Return the layers of the encoder and of the decoder, in the order of computation."""
    model = config.model
    if model.kind == "conv":
        return _conv_layers(config, *conv_shape(config))
    blocks = [[_transformer_layer(config)] * depth for depth in model.layers]
    return _mirrored(config, model.patch, [model.width] * len(blocks), model.strides, blocks)


def _conv_layers(
    config: CodecConfig, channels: list[int], strides: list[int]
) -> tuple[list[LayerGeometry], list[LayerGeometry]]:
    """Return the layers of `taae.codec.conv`: a residual unit at each rate but the latents'."""
    causal = config.attention.causal
    units = [
        [convolution(width, width // 2, 3, causal), convolution(width // 2, width, 1, causal)]
        for width in channels[:-1]
    ]
    return _mirrored(config, 1, channels, strides, [*units, []])


def _mirrored(
    config: CodecConfig,
    patch: int,
    channels: list[int],
    strides: list[int],
    blocks: Sequence[Sequence[LayerGeometry]],
) -> tuple[list[LayerGeometry], list[LayerGeometry]]:
    """Return encoder and decoder with these channels and blocks of layers at each rate."""
    causal, dimensions = config.attention.causal, config.bottleneck.dimensions
    ends = convolution(patch, channels[0], 7, causal), convolution(channels[0], patch, 7, causal)
    encoder = [LayerGeometry(patch, 0, patch - 1), ends[0], *blocks[0]]
    decoder = [LayerGeometry(patch, 0, patch - 1, transposed=True), ends[1], *blocks[0]]
    for stride, fast, slow, block in zip(strides, channels, channels[1:], blocks[1:], strict=False):
        encoder += [convolution(fast, slow, 2 * stride, causal, stride), *block]
        decoder += [upsampling(slow, fast, stride, causal), *block]
    encoder.append(convolution(channels[-1], dimensions, 3, causal))
    decoder.append(convolution(dimensions, channels[-1], 3, causal))
    return encoder, decoder[::-1]


def convolution(
    inputs: int, outputs: int, kernel: int, causal: bool, stride: int = 1
) -> LayerGeometry:
    """`taae.codec.layers.Convolution`."""
    around = kernel - stride
    left = around if causal else around // 2
    return LayerGeometry(
        stride,
        left,
        right=kernel - 1 - left,
        parameters=outputs * (inputs * kernel + 1),
        macs=outputs * inputs * kernel,
        state=around * inputs,
    )


def upsampling(inputs: int, outputs: int, stride: int, causal: bool) -> LayerGeometry:
    """`taae.codec.layers.Upsampling`."""
    left = 0 if causal else stride // 2
    weights = inputs * outputs * 2 * stride
    return LayerGeometry(
        stride,
        left,
        right=2 * stride - 1 - left,
        transposed=True,
        parameters=weights + outputs,
        macs=weights,
        state=inputs,
    )


def _transformer_layer(config: CodecConfig) -> LayerGeometry:
    """Attention within its window, and the feed-forward network of single frames."""
    model, window = config.model, config.attention.window
    left, right = window_sides(window, config.attention.causal)
    width = model.width
    matrices = (4 + 3 * model.ff_mult) * width**2
    biases = (2 * model.ff_mult + 1) * width + 2 * model.head_dim if model.biases else 0
    return LayerGeometry(
        stride=1,
        left=left,
        right=right,
        parameters=matrices + 4 * width + 2 * model.head_dim + biases,
        macs=matrices + 2 * window * width,
        state=2 * left * width,
    )


def conv_shape(config: CodecConfig) -> tuple[list[int], list[int]]:
    """Return channels at each rate and strides between them, from the waveform inwards.

    The channels double with each stride, and are as many as come nearest to the number of
    parameters of the TAAE of the same config. The product of the strides is its hop.
    """
    strides = conv_strides(config.model.hop)
    budget = parameter_count(replace(config, model=replace(config.model, kind="taae")))

    def channels(size: int) -> list[int]:
        # Even, for the halves within residual units; in steps finer than doubling 2, 4, 6 ...
        return [2 * max(1, round(size * 2**depth / 16)) for depth in range(len(strides) + 1)]

    def excess(size: int) -> int:
        return _parameters(*_conv_layers(config, channels(size), strides)) - budget

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


def parameter_count(config: CodecConfig) -> int:
    """Return how many numbers of a codec are trained."""
    return _parameters(*codec_layers(config))


def _parameters(*chains: Sequence[LayerGeometry]) -> int:
    return sum(layer.parameters for chain in chains for layer in chain)
