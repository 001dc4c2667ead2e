"""A causal codec on a stream: the weights of a `Codec`, and state that does not grow.

Codes and samples equal those of the offline codec, up to the order of floating-point sums. The
delay is one latent frame, which must be complete before it is encoded.

A stream runs the encoder or decoder of the codec itself, with its convolutions and transformers
replaced by ones that remember the past.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taae.codec.base import Codec
from taae.codec.complexity import milliseconds, profile
from taae.codec.layers import Convolution, Upsampling
from taae.codec.taae import Layer, Transformer
from taae.utils.errors import TaaeError

BLOCK = 32  # latent frames computed at once: bounds the memory that a long push needs


class _Stream:
    """Encoder or decoder of a codec on a stream."""

    def __init__(self, codec: Codec, part: nn.Module, batch: int) -> None:
        config = codec.config
        if not config.attention.causal:
            ahead = profile(config.model, config.attention, config.bottleneck).codec.look_ahead
            raise TaaeError(
                f"this codec looks {milliseconds(ahead):g} ms ahead, so it cannot answer frame by"
                " frame; train one with attention.causal: true"
            )
        self.codec, self.batch = codec, batch
        self.network = _with_memory(part)
        self._begin()

    def _begin(self) -> None:
        """Set the state before the first frame: as if there had been silence."""
        self.pending = next(self.network.parameters()).new_zeros(self.batch, 0)
        for each in self._memories():
            each.begin(self.batch)

    def _memories(self) -> Iterator[StreamingConvolution | StreamingTransformer]:
        for each in self.network.modules():
            if isinstance(each, StreamingConvolution | StreamingTransformer):
                yield each

    def state(self) -> list[Tensor]:
        """Return all tensors that the stream remembers; they have one size at every frame."""
        return [self.pending, *(tensor for each in self._memories() for tensor in each.state())]


class StreamingEncoder(_Stream):
    """Waveform -> codes, as it comes.

    The state belongs to one stream; `flush` ends it, and the next push begins another one. The
    weights are the codec's own, except that transposed convolutions have a reordered copy.

    Args:
        codec: a causal codec; else a `TaaeError`.
        batch: streams side by side.
    """

    def __init__(self, codec: Codec, batch: int = 1) -> None:
        super().__init__(codec, codec.encoder, batch)

    @torch.inference_mode()
    def push(self, wave: Tensor) -> Tensor:
        """Return the codes of the frames that `wave` (batch, samples) completes.

        int64 (batch, frames, dimensions); frames may be 0. Nominally at -20 LUFS.
        """
        if wave.dim() != 2 or wave.shape[0] != self.batch:
            raise TaaeError(f"a chunk is ({self.batch}, samples); got {list(wave.shape)}")
        hop = self.codec.hop
        wave = torch.cat([self.pending, wave.to(self.pending)], 1)
        ready = wave.shape[1] // hop * hop
        self.pending = wave[:, ready:].clone()
        blocks = wave[:, :ready].split(BLOCK * hop, 1) if ready else ()
        none = wave.new_empty(self.batch, 0, self.codec.config.bottleneck.dimensions)
        latents = torch.cat([none, *(self.network(block) for block in blocks)], 1)
        return self.codec.quantizer.quantize(latents)

    def flush(self) -> Tensor:
        """Return the codes of the last frame, filled up with silence, and begin a new stream."""
        missing = -self.pending.shape[1] % self.codec.hop
        codes = self.push(self.pending.new_zeros(self.batch, missing))
        self._begin()
        return codes


class StreamingDecoder(_Stream):
    """Codes -> waveform, as they come; see `StreamingEncoder`."""

    def __init__(self, codec: Codec, batch: int = 1) -> None:
        super().__init__(codec, codec.decoder, batch)

    @torch.inference_mode()
    def push(self, codes: Tensor) -> Tensor:
        """Return the samples (batch, frames * hop) of `codes` (batch, frames, dimensions)."""
        if codes.dim() != 3 or codes.shape[0] != self.batch:
            raise TaaeError(
                f"codes are ({self.batch}, frames, dimensions); got {list(codes.shape)}"
            )
        latents = self.codec.quantizer.dequantize(codes).to(self.pending)
        blocks = latents.split(BLOCK, 1) if latents.shape[1] else ()
        return torch.cat([self.pending, *(self.network(block) for block in blocks)], 1)

    def flush(self) -> Tensor:
        """Return the rest of the samples, (batch, 0): none; and begin a new stream."""
        self._begin()
        return self.pending


def _with_memory(module: nn.Module) -> nn.Module:
    """Return a copy of `module` that shares its weights and remembers the past of one stream."""
    if isinstance(module, Convolution | Upsampling):
        return StreamingConvolution(module)
    if isinstance(module, Transformer):
        return StreamingTransformer(module)
    twin = copy.copy(module)
    twin._modules = {name: child and _with_memory(child) for name, child in module._modules.items()}
    return twin


class StreamingConvolution(nn.Module):
    """A causal convolution as a matrix product with each window of frames.

    For a few frames that is several times faster than to set up a convolution.
    """

    def __init__(self, layer: Convolution | Upsampling) -> None:
        super().__init__()
        conv = layer.conv
        assert isinstance(conv, nn.Conv1d | nn.ConvTranspose1d)
        assert conv.bias is not None
        weight, bias, stride = conv.weight.detach(), conv.bias.detach(), conv.stride[0]
        if isinstance(conv, nn.ConvTranspose1d):
            # Outputs j * stride + r see frame j - 1 through tap stride + r, frame j through tap r.
            self.kernel, self.stride, self.repeat = 2, 1, stride
            self.inputs = weight.shape[0]
            taps = weight.unflatten(2, (2, stride)).flip(2)  # (in, out, frame, r)
            weight = taps.permute(3, 1, 0, 2).reshape(-1, 2 * self.inputs)
            bias = bias.repeat(stride)
        else:
            self.kernel, self.stride, self.repeat = weight.shape[2], stride, 1
            self.inputs = weight.shape[1]
            weight = weight.flatten(1)
        self.weight, self.bias = nn.Parameter(weight, False), nn.Parameter(bias, False)

    def begin(self, batch: int) -> None:
        """Set the state before the first frame."""
        self.tail = self.weight.new_zeros(batch, self.kernel - self.stride, self.inputs)

    def state(self) -> list[Tensor]:
        """Return the input frames (batch, frames, inputs) that the next output still needs."""
        return [self.tail]

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs for the next frames (batch, time, inputs)."""
        x = torch.cat([self.tail, x], 1)
        self.tail = x[:, x.shape[1] - self.tail.shape[1] :]
        windows = x.unfold(1, self.kernel, self.stride).flatten(2)
        out = F.linear(windows, self.weight, self.bias)
        return out.unflatten(2, (self.repeat, -1)).flatten(1, 2) if self.repeat > 1 else out


class StreamingTransformer(nn.Module):
    """The transformer layers of one rate: the number of past frames, and a cache per layer."""

    def __init__(self, transformer: Transformer) -> None:
        super().__init__()
        self.rotary, self.layers = transformer.rotary, transformer.layers

    def begin(self, batch: int) -> None:
        """Set the state before the first frame."""
        self.position = 0
        self.caches = [AttentionCache.empty(layer, batch) for layer in self.layers]

    def state(self) -> list[Tensor]:
        """Return the keys and values of all layers."""
        return [tensor for cache in self.caches for tensor in (cache.keys, cache.values)]

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs for the next frames (batch, time, width)."""
        rope = self.rotary(self.position, x.shape[1])
        for layer, cache in zip(self.layers, self.caches, strict=True):
            x = layer(x, rope, cache.attend)
        self.position += x.shape[1]
        return x


@dataclass
class AttentionCache:
    """The keys, with rotary positions applied, and values that coming queries can still see.

    Both (batch, heads, window - 1, head_dim). The newest `filled` frames are used; at the start of
    a stream these are fewer than window - 1.
    """

    keys: Tensor
    values: Tensor
    filled: int = 0

    @classmethod
    def empty(cls, layer: nn.Module, batch: int) -> AttentionCache:
        """Return the cache of a transformer layer before the first frame."""
        assert isinstance(layer, Layer)
        attention = layer.attention
        zeros = attention.to_qkv.weight.new_zeros
        heads = attention.to_qkv.in_features // attention.head_dim
        shape = (batch, heads, attention.left, attention.head_dim)
        return cls(zeros(shape), zeros(shape))

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from the next frames to themselves and the past, (batch, heads, time, dim)."""
        past, time = self.keys.shape[2], q.shape[2]
        keys, values = torch.cat([self.keys, k], 2), torch.cat([self.values, v], 2)
        self.keys, self.values = keys[:, :, time:], values[:, :, time:]
        unused = past - self.filled
        self.filled = min(past, self.filled + time)
        mask = None if time == 1 else _mask(time, past, q.device)[:, unused:]
        return F.scaled_dot_product_attention(
            q, keys[:, :, unused:], values[:, :, unused:], attn_mask=mask
        )


@lru_cache(maxsize=64)
def _mask(time: int, past: int, device: torch.device) -> Tensor:
    """Return which of `past` older and `time` own keys each of `time` queries sees."""
    query = torch.arange(time, device=device)[:, None]
    key = torch.arange(-past, time, device=device)
    return (key <= query) & (key >= query - past)
