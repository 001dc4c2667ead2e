"""A causal codec on a stream: the weights of a `Codec`, and state that does not grow.

Codes and samples equal those of the offline codec, up to the order of floating-point sums. The
delay is one latent frame, which must be complete before it is encoded.

A stream runs the encoder or decoder of the codec itself, with its convolutions and transformers
replaced by ones that remember the past.
"""

from __future__ import annotations

import copy
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taae.codec.attention import window_mask
from taae.codec.codec import Codec
from taae.codec.complexity import milliseconds, profile
from taae.codec.layers import Convolution, Upsampling
from taae.codec.taae import Layer, Transformer
from taae.utils.errors import TaaeError

BLOCK = 32  # latent frames computed at once: bounds the memory that a long push needs


class _Stream:
    """Encoder or decoder of a codec on a stream."""

    part: ClassVar[str]

    def __init__(self, codec: Codec, batch: int = 1) -> None:
        if not codec.config.attention.causal:
            ahead = milliseconds(profile(codec.config).look_ahead)
            raise TaaeError(
                f"this codec looks {ahead:g} ms ahead, so it cannot answer frame by frame; train"
                " one with attention.causal: true"
            )
        self.codec, self.batch = codec, batch
        self._begin()

    def _begin(self) -> None:
        """Set the state before the first frame: as if there had been silence."""
        self.network = _with_memory(self.codec.get_submodule(self.part), self.batch)
        self.pending = next(self.network.parameters()).new_zeros(self.batch, 0)

    def _blocks(self, x: Tensor, size: int) -> list[Tensor]:
        """Return what becomes of `x` (batch, time, ...), `size` at once."""
        return [self.network(block) for block in x.split(size, 1)] if x.shape[1] else []

    def state(self) -> list[Tensor]:
        """Return all tensors that the stream remembers; they have one size at every frame."""
        kept = [self.pending]
        for each in self.network.modules():
            if isinstance(each, StreamingConvolution):
                kept.append(each.tail)
            elif isinstance(each, StreamingTransformer):
                kept += [x for cache in each.caches for x in (cache.keys, cache.values)]
        return kept


class StreamingEncoder(_Stream):
    """Waveform -> codes, as it comes.

    The state belongs to one stream; `flush` ends it, and the next push begins another one. The
    weights are the codec's own, except that transposed convolutions have a reordered copy.

    Args:
        codec: a causal codec; else a `TaaeError`.
        batch: streams side by side.
    """

    part = "encoder"

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
        none = wave.new_empty(self.batch, 0, self.codec.config.bottleneck.dimensions)
        latents = torch.cat([none, *self._blocks(wave[:, :ready], BLOCK * hop)], 1)
        return self.codec.quantizer.quantize(latents)

    def flush(self) -> Tensor:
        """Return the codes of the last frame, filled up with silence, and begin a new stream."""
        missing = -self.pending.shape[1] % self.codec.hop
        codes = self.push(self.pending.new_zeros(self.batch, missing))
        self._begin()
        return codes


class StreamingDecoder(_Stream):
    """Codes -> waveform, as they come; see `StreamingEncoder`."""

    part = "decoder"

    @torch.inference_mode()
    def push(self, codes: Tensor) -> Tensor:
        """Return the samples (batch, frames * hop) of `codes` (batch, frames, dimensions)."""
        if codes.dim() != 3 or codes.shape[0] != self.batch:
            raise TaaeError(
                f"codes are ({self.batch}, frames, dimensions); got {list(codes.shape)}"
            )
        latents = self.codec.quantizer.dequantize(codes).to(self.pending)
        return torch.cat([self.pending, *self._blocks(latents, BLOCK)], 1)

    def flush(self) -> Tensor:
        """Return the rest of the samples, (batch, 0): none; and begin a new stream."""
        self._begin()
        return self.pending


def _with_memory(module: nn.Module, batch: int) -> nn.Module:
    """Return a copy of `module` that shares its weights and remembers the past of one stream."""
    if isinstance(module, Convolution | Upsampling):
        return StreamingConvolution(module, batch)
    if isinstance(module, Transformer):
        return StreamingTransformer(module, batch)
    twin = copy.copy(module)
    twin._modules = {
        name: child and _with_memory(child, batch) for name, child in module._modules.items()
    }
    return twin


class StreamingConvolution(nn.Module):
    """A causal convolution as a matrix product with each window of frames.

    For a few frames that is several times faster than to set up a convolution.
    """

    def __init__(self, layer: Convolution | Upsampling, batch: int) -> None:
        super().__init__()
        conv = layer.conv
        assert isinstance(conv, nn.Conv1d | nn.ConvTranspose1d)
        assert conv.bias is not None
        weight, bias, stride = conv.weight.detach(), conv.bias.detach(), conv.stride[0]
        if isinstance(conv, nn.ConvTranspose1d):
            # Outputs j * stride + r see frame j - 1 through tap stride + r, frame j through tap r.
            self.kernel, self.stride, self.repeat = 2, 1, stride
            inputs = weight.shape[0]
            taps = weight.unflatten(2, (2, stride)).flip(2)  # (in, out, frame, r)
            weight = taps.permute(3, 1, 0, 2).reshape(-1, 2 * inputs)
            bias = bias.repeat(stride)
        else:
            self.kernel, self.stride, self.repeat = weight.shape[2], stride, 1
            inputs = weight.shape[1]
            weight = weight.flatten(1)
        self.weight, self.bias = nn.Parameter(weight, False), nn.Parameter(bias, False)
        # The input frames that the next output still needs.
        self.tail = weight.new_zeros(batch, self.kernel - self.stride, inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs for the next frames (batch, time, inputs)."""
        x = torch.cat([self.tail, x], 1)
        self.tail = x[:, x.shape[1] - self.tail.shape[1] :]
        windows = x.unfold(1, self.kernel, self.stride).flatten(2)
        out = F.linear(windows, self.weight, self.bias)
        return out.unflatten(2, (self.repeat, -1)).flatten(1, 2) if self.repeat > 1 else out


class StreamingTransformer(nn.Module):
    """The transformer layers of one rate: the number of past frames, and a cache per layer."""

    def __init__(self, transformer: Transformer, batch: int) -> None:
        super().__init__()
        self.rotary, self.layers = transformer.rotary, transformer.layers
        self.position = 0
        self.caches = [AttentionCache(layer, batch) for layer in self.layers]

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs for the next frames (batch, time, width)."""
        rope = self.rotary(self.position, x.shape[1])
        for layer, cache in zip(self.layers, self.caches, strict=True):
            x = layer(x, rope, cache.attend)
        self.position += x.shape[1]
        return x


class AttentionCache:
    """The keys, with rotary positions applied, and values that coming queries can still see.

    Both (batch, heads, window - 1, head_dim). The newest `filled` frames are used; at the start of
    a stream these are fewer than window - 1.
    """

    def __init__(self, layer: nn.Module, batch: int) -> None:
        assert isinstance(layer, Layer)
        attention = layer.attention
        weight = attention.to_qkv.weight
        heads = weight.shape[1] // attention.head_dim
        self.keys = weight.new_zeros(batch, heads, attention.left, attention.head_dim)
        self.values, self.filled = self.keys, 0

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from the next frames to themselves and the past, (batch, heads, time, dim)."""
        past, time, filled = self.keys.shape[2], q.shape[2], self.filled
        keys, values = torch.cat([self.keys, k], 2), torch.cat([self.values, v], 2)
        self.keys, self.values = keys[:, :, time:], values[:, :, time:]
        self.filled = min(past, filled + time)
        seen = filled + time
        mask = None if time == 1 else window_mask(time, seen, -filled, past, 0, q.device, q.dtype)
        return F.scaled_dot_product_attention(
            q, keys[:, :, -seen:], values[:, :, -seen:], attn_mask=mask
        )
