"""A causal codec on a stream: the weights of a `Codec`, and state that does not grow.

Tokens and samples are those of the offline codec, up to the order of floating-point sums. The
delay is one latent frame, which must be complete before it is encoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taae.codec import conv
from taae.codec.base import WAVE_RMS, Codec
from taae.codec.complexity import milliseconds, profile
from taae.codec.taae import Decoder, Encoder, Layer, Transformer
from taae.utils.errors import TaaeError

BLOCK = 32  # latent frames computed at once: bounds the memory that a long push needs


@dataclass
class AttentionCache:
    """The keys, turned to their positions, and values that coming queries can still see.

    Both (batch, heads, window - 1, head_dim); before that many frames came the first are unused.
    """

    keys: Tensor
    values: Tensor
    filled: int = 0

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


@dataclass
class StackState:
    """The transformer layers of one rate: frames so far, and a cache per layer."""

    position: int
    caches: list[AttentionCache]


@dataclass
class StreamState:
    """All that one direction of a stream remembers.

    Attributes:
        pending: samples of a latent frame that is not complete: (batch, less than hop).
        tails: per convolution the frames that its next output still needs: (batch, frames,
            features).
        stacks: per rate; none in a convolutional codec.
    """

    pending: Tensor
    tails: list[Tensor]
    stacks: list[StackState]

    @property
    def nbytes(self) -> int:
        """Bytes of the state; the same at every frame of the stream."""
        caches = [cache for stack in self.stacks for cache in stack.caches]
        tensors = [self.pending, *self.tails]
        tensors += [each for cache in caches for each in (cache.keys, cache.values)]
        return sum(tensor.nbytes for tensor in tensors)


class StreamingEncoder:
    """Waveform -> codes, as it comes.

    The state is that of one stream; `flush` ends it, and the next push begins another one. The
    weights are the codec's own, but for those of transposed convolutions, copied and reordered.

    Args:
        codec: a causal codec; else a `TaaeError`.
        batch: streams side by side.
    """

    def __init__(self, codec: Codec, batch: int = 1) -> None:
        self.codec, self.batch = codec, batch
        self.chain = _chain(codec, codec.encoder)
        self.state = self.chain.begin(batch)

    @torch.inference_mode()
    def push(self, wave: Tensor) -> Tensor:
        """Return the codes of the frames that `wave` (batch, samples) completes.

        int64 (batch, frames, dimensions); frames may be 0. Nominally at -20 LUFS.
        """
        if wave.dim() != 2 or wave.shape[0] != self.batch:
            raise TaaeError(f"a chunk is ({self.batch}, samples); got {list(wave.shape)}")
        state, hop, patch = self.state, self.codec.hop, self.chain.patch
        wave = torch.cat([state.pending, wave.to(state.pending)], 1)
        ready = wave.shape[1] // hop * hop
        state.pending = wave[:, ready:].clone()
        frames = wave[:, :ready].unflatten(1, (-1, patch))
        return self.codec.quantizer.quantize(self.chain.run(frames, state, BLOCK * hop // patch))

    def flush(self) -> Tensor:
        """Return the codes of the last frame, filled up with silence, and begin a new stream."""
        missing = -self.state.pending.shape[1] % self.codec.hop
        codes = self.push(self.state.pending.new_zeros(self.batch, missing))
        self.state = self.chain.begin(self.batch)
        return codes


class StreamingDecoder:
    """Codes -> waveform, as they come; see `StreamingEncoder`."""

    def __init__(self, codec: Codec, batch: int = 1) -> None:
        self.codec, self.batch = codec, batch
        self.chain = _chain(codec, codec.decoder)
        self.state = self.chain.begin(batch)

    @torch.inference_mode()
    def push(self, codes: Tensor) -> Tensor:
        """Return the samples (batch, frames * hop) of `codes` (batch, frames, dimensions)."""
        if codes.dim() != 3 or codes.shape[0] != self.batch:
            raise TaaeError(
                f"codes are ({self.batch}, frames, dimensions); got {list(codes.shape)}"
            )
        latents = self.codec.quantizer.dequantize(codes).to(self.state.pending)
        return self.chain.run(latents, self.state, BLOCK).flatten(1)

    def flush(self) -> Tensor:
        """Return what is left, which is nothing (batch, 0), and begin a new stream."""
        self.state = self.chain.begin(self.batch)
        return self.state.pending


def _chain(codec: Codec, part: nn.Module) -> _Chain:
    """Return the encoder or decoder of a codec for streaming, if it can stream."""
    config = codec.config
    if not config.attention.causal:
        ahead = profile(config.model, config.attention, config.bottleneck).codec.look_ahead
        raise TaaeError(
            f"this codec looks {milliseconds(ahead):g} ms ahead, so it cannot answer frame by"
            " frame; train one with attention.causal: true"
        )
    if isinstance(part, Encoder | Decoder):
        return _TransformerChain(part)
    assert isinstance(part, conv.Encoder | conv.Decoder)
    return _ConvChain(part)


class _Chain:
    """Encoder or decoder as convolutions that slide, and what lies between them.

    Attributes:
        patch: samples per frame at the input of an encoder.
    """

    def __init__(self, convolutions: list[_Sliding], patch: int) -> None:
        self.convolutions, self.patch = convolutions, patch
        self.outputs = convolutions[-1].bias.shape[0]

    def begin(self, batch: int) -> StreamState:
        """Return the state before the first frame: as if there had been silence."""
        zeros = self.convolutions[0].weight.new_zeros
        return StreamState(
            pending=zeros(batch, 0),
            tails=[zeros(batch, each.past, each.inputs) for each in self.convolutions],
            stacks=[],
        )

    def run(self, x: Tensor, state: StreamState, block: int) -> Tensor:
        """Return the outputs for the next frames (batch, time, features), block by block."""
        outputs = [self.step(part, state) for part in x.split(block, 1) if part.shape[1]]
        return torch.cat([x.new_empty(x.shape[0], 0, self.outputs), *outputs], 1)

    def step(self, x: Tensor, state: StreamState) -> Tensor:
        """Return the outputs for one block of frames."""
        raise NotImplementedError

    def slide(self, place: int, x: Tensor, state: StreamState) -> Tensor:
        """Pass through one of the convolutions."""
        out, state.tails[place] = self.convolutions[place](x, state.tails[place])
        return out


class _TransformerChain(_Chain):
    """Convolution, then for each rate its layers and another convolution."""

    def __init__(self, part: Encoder | Decoder) -> None:
        resamplers = part.down if isinstance(part, Encoder) else part.up
        layers = (part.project_in, *resamplers, part.project_out)
        patch = part.patch if isinstance(part, Encoder) else 1
        super().__init__([_Sliding(layer.conv) for layer in layers], patch)
        self.stacks = [block for block in part.blocks if isinstance(block, Transformer)]

    def begin(self, batch: int) -> StreamState:
        state = super().begin(batch)
        for stack in self.stacks:
            state.stacks.append(StackState(0, [_cache(layer, batch) for layer in stack.layers]))
        return state

    def step(self, x: Tensor, state: StreamState) -> Tensor:
        x = self.slide(0, x, state)
        for depth, (stack, memory) in enumerate(zip(self.stacks, state.stacks, strict=True), 1):
            turn = stack.rotary(memory.position, x.shape[1])
            for layer, cache in zip(stack.layers, memory.caches, strict=True):
                x = layer(x, turn, cache.attend)
            memory.position += x.shape[1]
            x = self.slide(depth, x, state)
        return x


class _ConvChain(_Chain):
    """The layers of a convolutional codec, one after another."""

    def __init__(self, part: conv.Encoder | conv.Decoder) -> None:
        self.layers = part.layers
        self.before, self.after = (
            (1 / WAVE_RMS, 1.0) if isinstance(part, conv.Encoder) else (1.0, WAVE_RMS)
        )
        kinds = conv.Convolution | conv.Upsampling
        found = [each for each in part.modules() if isinstance(each, kinds)]
        super().__init__([_Sliding(each.conv) for each in found], patch=1)
        self.places: dict[nn.Module, int] = {each: place for place, each in enumerate(found)}

    def step(self, x: Tensor, state: StreamState) -> Tensor:
        return self._through(self.layers, x * self.before, state) * self.after

    def _through(self, layers: nn.Sequential, x: Tensor, state: StreamState) -> Tensor:
        for layer in layers:
            if layer in self.places:
                x = self.slide(self.places[layer], x, state)
            elif isinstance(layer, conv.ResidualUnit):
                x = x + self._through(layer.layers, x, state)
            else:
                x = layer(x)
        return x


class _Sliding:
    """A causal convolution as a matrix product with each window of frames.

    For a few frames that is several times faster than to set up a convolution.
    """

    def __init__(self, conv: nn.Module) -> None:
        assert isinstance(conv, nn.Conv1d | nn.ConvTranspose1d)
        assert conv.bias is not None
        weight, bias, stride = conv.weight.detach(), conv.bias.detach(), conv.stride[0]
        if isinstance(conv, nn.ConvTranspose1d):
            # Outputs j * stride + r see frame j - 1 through tap stride + r, frame j through tap r.
            self.kernel, self.stride, self.repeat = 2, 1, stride
            self.inputs = weight.shape[0]
            taps = weight.unflatten(2, (2, stride)).flip(2)  # (in, out, frame, r)
            self.weight = taps.permute(3, 1, 0, 2).reshape(-1, 2 * self.inputs)
            self.bias = bias.repeat(stride)
        else:
            self.kernel, self.stride, self.repeat = weight.shape[2], stride, 1
            self.inputs = weight.shape[1]
            self.weight, self.bias = weight.flatten(1), bias
        self.past = self.kernel - self.stride

    def __call__(self, x: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs for the next frames, and the tail for those after them."""
        x = torch.cat([tail, x], 1)
        windows = x.unfold(1, self.kernel, self.stride).flatten(2)
        out = F.linear(windows, self.weight, self.bias)
        if self.repeat > 1:
            out = out.unflatten(2, (self.repeat, -1)).flatten(1, 2)
        return out, x[:, x.shape[1] - self.past :]


def _cache(layer: nn.Module, batch: int) -> AttentionCache:
    assert isinstance(layer, Layer)
    attention = layer.attention
    zeros = attention.to_qkv.weight.new_zeros
    heads = attention.to_qkv.in_features // attention.head_dim
    shape = (batch, heads, attention.left, attention.head_dim)
    return AttentionCache(zeros(shape), zeros(shape))


@lru_cache(maxsize=64)
def _mask(time: int, past: int, device: torch.device) -> Tensor:
    """Return which of `past` older and `time` own keys each of `time` queries sees."""
    query = torch.arange(time, device=device)[:, None]
    key = torch.arange(-past, time, device=device)
    return (key <= query) & (key >= query - past)
