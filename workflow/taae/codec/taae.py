"""TAAE, the transformer audio autoencoder (arXiv 2411.19842, section 3). Read top to bottom.

Waveform -> frames of `patch` samples -> transformer layers at one or more rates -> FSQ codes,
and the mirror image back. Tensors inside are (batch, time, features).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taae.codec.attention import sliding_window_attention
from taae.codec.attention_window import window_sides
from taae.codec.config import CodecConfig
from taae.codec.layers import WAVE_RMS, Convolution, Upsampling

SEGMENT = 512  # frames of a layer computed at once in inference, or more for wide windows
QK_NORM_EPS = 1e-6
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]  # queries, keys, values -> attended values


class Encoder(nn.Module):
    """(batch, samples) -> latents (batch, frames, dimensions), before quantization."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        model, causal = config.model, config.attention.causal
        self.patch = model.patch
        self.project_in = Convolution(model.patch, model.width, 7, causal, gain=1 / WAVE_RMS)
        self.blocks = nn.ModuleList(Transformer(depth, config) for depth in model.layers)
        self.down = nn.ModuleList(
            Convolution(model.width, model.width, 2 * stride, causal, stride)
            for stride in model.strides
        )
        self.project_out = Convolution(model.width, config.bottleneck.dimensions, 3, causal)

    def forward(self, wave: Tensor) -> Tensor:
        """Return the latents of `wave`, whose length is a whole number of hops."""
        x = self.project_in(wave.unflatten(1, (-1, self.patch)))
        for depth, block in enumerate(self.blocks):
            x = block(x)
            if depth < len(self.down):
                x = self.down[depth](x)
        latents: Tensor = self.project_out(x)
        return latents


class Decoder(nn.Module):
    """Quantised latents (batch, frames, dimensions) -> (batch, samples)."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        model, causal = config.model, config.attention.causal
        self.project_in = Convolution(config.bottleneck.dimensions, model.width, 3, causal)
        self.blocks = nn.ModuleList(Transformer(depth, config) for depth in reversed(model.layers))
        self.up = nn.ModuleList(
            Upsampling(model.width, model.width, stride, causal)
            for stride in reversed(model.strides)
        )
        self.project_out = Convolution(model.width, model.patch, 7, causal, gain=WAVE_RMS)

    def forward(self, latents: Tensor) -> Tensor:
        """Return the waveform of quantised latents, one hop of samples per frame."""
        x = self.project_in(latents)
        for depth, block in enumerate(self.blocks):
            x = block(x)
            if depth < len(self.up):
                x = self.up[depth](x)
        wave: Tensor = self.project_out(x).flatten(1)
        return wave


class Transformer(nn.Module):
    """The transformer layers of one rate, which share the cosines and sines of the positions."""

    def __init__(self, depth: int, config: CodecConfig) -> None:
        super().__init__()
        self.rotary = Rotary(config.model.head_dim)
        self.layers = nn.ModuleList(Layer(config) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) -> the same shape."""
        rope = self.rotary(0, x.shape[1])
        for layer in self.layers:
            x = layer(x, rope)
        return x


class Layer(nn.Module):
    """Pre-norm attention and SwiGLU, each added to its input through a learned scale."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        model = config.model
        self.attention_norm = nn.LayerNorm(model.width, eps=model.norm_eps, bias=False)
        self.attention = SelfAttention(config)
        self.attention_scale = nn.Parameter(torch.full((model.width,), model.layer_scale))
        self.feed_norm = nn.LayerNorm(model.width, eps=model.norm_eps, bias=False)
        self.feed = SwiGLU(model.width, model.ff_mult * model.width, model.biases)
        self.feed_scale = nn.Parameter(torch.full((model.width,), model.layer_scale))

    def forward(
        self, x: Tensor, rope: tuple[Tensor, Tensor], attend: Attend | None = None
    ) -> Tensor:
        """(batch, time, width) -> the same shape; `rope` from `Rotary`."""
        left, right, time = self.attention.left, self.attention.right, x.shape[1]
        size = max(SEGMENT, 4 * (left + right))
        if attend or torch.is_grad_enabled() or time <= size:
            return self._ffn(self._attend(x, rope, attend))
        # Segment by segment, each with the frames that its windows reach: activations then stay in
        # the CPU's cache, and long recordings are as fast as short ones.
        done = []
        for start in range(0, time, size):
            begin, end = max(0, start - left), min(time, start + size + right)
            attended = self._attend(x[:, begin:end], (rope[0][begin:end], rope[1][begin:end]), None)
            done.append(self._ffn(attended[:, start - begin : start - begin + size]))
        return torch.cat(done, 1)

    def _attend(self, x: Tensor, rope: tuple[Tensor, Tensor], attend: Attend | None) -> Tensor:
        out: Tensor = x + self.attention_scale * self.attention(
            self.attention_norm(x), rope, attend
        )
        return out

    def _ffn(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.feed_scale * self.feed(self.feed_norm(x))
        return out


class SelfAttention(nn.Module):
    """Multi-head attention within a sliding window; queries and keys normalised per head."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        width, self.head_dim = config.model.width, config.model.head_dim
        biases = config.model.biases
        self.causal = config.attention.causal
        self.look(config.attention.window)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_norm = nn.LayerNorm(self.head_dim, eps=QK_NORM_EPS, bias=biases)
        self.k_norm = nn.LayerNorm(self.head_dim, eps=QK_NORM_EPS, bias=biases)
        self.to_out = nn.Linear(width, width, bias=False)

    def look(self, window: int) -> None:
        """See so many keys from here on; the weights fit any window."""
        self.left, self.right = window_sides(window, self.causal)

    def forward(
        self, x: Tensor, rope: tuple[Tensor, Tensor], attend: Attend | None = None
    ) -> Tensor:
        """(batch, time, width) -> the same shape; a stream brings its own `attend`."""
        qkv = self.to_qkv(x).unflatten(2, (3, -1, self.head_dim))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (batch, heads, time, head_dim)
        q, k = rotate(self.q_norm(q), rope).to(v.dtype), rotate(self.k_norm(k), rope).to(v.dtype)
        if attend is None:
            attended = sliding_window_attention(q, k, v, self.left, self.right)
        else:
            attended = attend(q, k, v)
        out: Tensor = self.to_out(attended.transpose(1, 2).flatten(2))
        return out


class SwiGLU(nn.Module):
    """Gated feed-forward layer (Shazeer, arXiv 2002.05202)."""

    def __init__(self, width: int, inner: int, bias: bool = False) -> None:
        super().__init__()
        self.up = nn.Linear(width, 2 * inner, bias=bias)
        self.down = nn.Linear(inner, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> the same shape."""
        value, gate = self.up(x).chunk(2, dim=-1)
        out: Tensor = self.down(value * F.silu(gate))
        return out


class Rotary(nn.Module):
    """Rotary positions (Su et al., arXiv 2104.09864) on the first half of a head's features."""

    frequencies: Tensor

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        rotated = head_dim // 2
        frequencies = 10_000.0 ** -(torch.arange(0, rotated, 2) / rotated)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, start: int, time: int) -> tuple[Tensor, Tensor]:
        """Return cosines and sines of positions start .. start + time - 1: (time, head_dim / 4)."""
        positions = torch.arange(start, start + time, device=self.frequencies.device)
        # In float32, angles half an hour into a recording would be wrong by 0.01 rad.
        angles = positions[:, None].double() * self.frequencies.double()
        return angles.cos().to(self.frequencies), angles.sin().to(self.frequencies)


def rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate the first half of the features of `x` (..., time, head_dim) by its positions."""
    cos, sin = rope
    one, other, rest = x.split([cos.shape[-1], cos.shape[-1], x.shape[-1] - 2 * cos.shape[-1]], -1)
    return torch.cat([one * cos - other * sin, other * cos + one * sin, rest], -1)
