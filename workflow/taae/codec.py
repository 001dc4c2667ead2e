"""TAAE, the transformer audio autoencoder (arXiv 2411.19842, section 3). Read top to bottom.

Waveform -> frames of `patch` samples -> transformer layers at one or more rates -> FSQ codes,
and the mirror image back. Tensors inside are (batch, time, features).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import dacite
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrize import register_parametrization

from taae.attention import sliding_window_attention
from taae.coverage import window_sides
from taae.errors import TaaeError
from taae.files import atomic, write_json
from taae.fsq import FSQ
from taae.residual import ResidualFSQ
from taae.sample_rate import SAMPLE_RATE
from taae.stages import Stage
from taae.variant import Attention, Bottleneck, Model, Variant

WEIGHTS, CONFIG = "model.safetensors", "config.json"
SEGMENT = 512  # frames of a layer computed at once in inference, or more for wide windows
QK_NORM_EPS = 1e-6
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]  # queries, keys, values -> what is seen
WAVE_RMS = 0.1  # of speech at -20 LUFS, about
ROTARY_SHARE = 2  # 1 / share of each head's features that turn with the position


@dataclass(frozen=True)
class CodecConfig:
    """What fixes a codec's function and the shapes of its weights."""

    model: Model
    attention: Attention
    bottleneck: Bottleneck
    sample_rate: int = SAMPLE_RATE

    @classmethod
    def of(cls, variant: Variant) -> CodecConfig:
        """Return the codec's part of a variant."""
        return cls(variant.model, variant.attention, variant.bottleneck)


class Codec(nn.Module):
    """Encoder, quantizer, decoder: `encode` and `decode` are its use; `forward` is its training."""

    def __init__(self, config: CodecConfig, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.hop = config.model.hop
        self.encoder = encoder
        bottleneck = config.bottleneck
        self.quantizer: FSQ | ResidualFSQ = FSQ(
            bottleneck.levels, bottleneck.rounding, bottleneck.training, bottleneck.random_levels
        )
        self.decoder = decoder

    def forward(self, wave: Tensor) -> Tensor:
        """Return the reconstruction of `wave` (batch, samples), of the same shape."""
        latents = self.latents(wave)
        decoded: Tensor = self.decoder(self.quantizer(latents))
        return decoded[:, : wave.shape[1]]

    @torch.inference_mode()
    def encode(self, wave: Tensor) -> Tensor:
        """Return the codes of a waveform at `config.sample_rate`.

        Args:
            wave: (batch, samples), nominally at -20 LUFS, any length of at least 1.

        Returns:
            int64 (batch, frames, dimensions); frames = samples / hop, rounded up.
        """
        return self.quantizer.quantize(self.latents(wave))

    @torch.inference_mode()
    def decode(self, codes: Tensor, samples: int | None = None) -> Tensor:
        """Return the waveform (batch, samples) of `codes` (batch, frames, dimensions).

        Without `samples` the last frame is kept whole; pass the input's length to get just that.
        """
        wave: Tensor = self.decoder(self.quantizer.dequantize(codes))
        return wave if samples is None else wave[:, :samples]

    def with_bottleneck(self, stages: Sequence[Stage]) -> Self:
        """Return this codec, weights shared, with a residual FSQ of these `stages`.

        Its codes are (batch, frames, stages * dimensions), see `taae.residual`. Without stages
        it has the quantizer of the training.
        """
        trained = self.quantizer
        if isinstance(trained, ResidualFSQ):
            trained = trained.trained
        view = copy.copy(self)
        view._modules = {
            **self._modules,
            "quantizer": ResidualFSQ(trained, stages).eval() if stages else trained,
        }
        return view

    def latents(self, wave: Tensor) -> Tensor:
        """Return what is quantised of `wave` (batch, samples): (batch, frames, dimensions)."""
        latents: Tensor = self.encoder(self._whole_frames(wave))
        return latents

    def _whole_frames(self, wave: Tensor) -> Tensor:
        if wave.dim() != 2 or not wave.shape[1]:
            raise TaaeError(f"a waveform is (batch, samples) and not empty; got {list(wave.shape)}")
        return F.pad(wave, (0, -wave.shape[1] % self.hop))

    def save_pretrained(self, folder: Path | str) -> None:
        """Write the weights (safetensors) and the config (JSON) to `folder`, atomically."""
        weights = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        path = Path(folder) / WEIGHTS
        with atomic(path) as temporary:
            try:
                safetensors.torch.save_file(weights, temporary)
            except SafetensorError as error:
                raise TaaeError(f"{path}: cannot write here ({error})") from error
        write_json(asdict(self.config), Path(folder) / CONFIG)

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> Self:
        """Return the codec that `save_pretrained` wrote to `folder`, in evaluation mode.

        `Codec.from_pretrained` takes any kind, a subclass its own kind alone.
        """
        folder = Path(folder)
        try:
            config = dacite.from_dict(
                CodecConfig,
                json.loads((folder / CONFIG).read_text(encoding="utf-8")),
                dacite.Config(strict=True, cast=[float]),
            )
            codec = build(config)
            if not isinstance(codec, cls):
                raise TaaeError(f"{folder}: a codec of kind {config.model.kind} cannot do this")
            weights = safetensors.torch.load_file(folder / WEIGHTS)
        except FileNotFoundError as error:
            raise TaaeError(f"{error.filename}: no such file; is {folder} a model?") from error
        except (ValueError, dacite.DaciteError) as error:
            raise TaaeError(f"{folder / CONFIG}: not the config of a codec: {error}") from error
        except (SafetensorError, RuntimeError) as error:
            raise TaaeError(
                f"{folder / WEIGHTS}: not the weights of this codec: {error}"
            ) from error
        if difference := _difference(codec.state_dict(), weights):
            raise TaaeError(f"{folder / WEIGHTS}: not the weights of this codec: {difference}")
        codec.load_state_dict(weights)
        return codec.eval()


class TAAE(Codec):
    """The transformer codec."""

    encoder: Encoder
    decoder: Decoder

    def __init__(self, config: CodecConfig) -> None:
        super().__init__(config, Encoder(config), Decoder(config))


def _difference(expected: dict[str, Tensor], found: dict[str, Tensor]) -> str:
    """Return what sets the names and shapes of two sets of weights apart; empty: nothing."""
    shapes = [{name: list(w.shape) for name, w in weights.items()} for weights in (expected, found)]
    names = [name for name in expected | found if shapes[0].get(name) != shapes[1].get(name)]
    if not names:
        return ""
    first = names[0]
    there, wanted = shapes[1].get(first, "absent"), shapes[0].get(first, "absent")
    return f"{len(names)} tensors differ, first {first}: {there} instead of {wanted}"


def build(config: CodecConfig) -> Codec:
    """Return a codec with new weights, of the kind that `model.kind` says."""
    from taae.conv import ConvCodec  # which is built on this module

    return ConvCodec(config) if config.model.kind == "conv" else TAAE(config)


class Encoder(nn.Module):
    """(batch, samples) -> latents (batch, frames, dimensions), before quantization."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        model, causal = config.model, config.attention.causal
        self.patch = model.patch
        self.project_in = Convolution(model.patch, model.width, 7, causal, gain=1 / WAVE_RMS)
        self.blocks = nn.ModuleList(Transformer(depth, config) for depth in model.layers)
        self.down = nn.ModuleList(Downsample(model.width, s, causal) for s in model.strides)
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
        self.up = nn.ModuleList(Upsample(model.width, s, causal) for s in reversed(model.strides))
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
    """The transformer layers of one rate; positions are turned into rotations once for all."""

    def __init__(self, depth: int, config: CodecConfig) -> None:
        super().__init__()
        self.rotary = Rotary(config.model.head_dim)
        self.layers = nn.ModuleList(Layer(config) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) -> the same shape."""
        turn = self.rotary(0, x.shape[1])
        for layer in self.layers:
            x = layer(x, turn)
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
        self, x: Tensor, turn: tuple[Tensor, Tensor], attend: Attend | None = None
    ) -> Tensor:
        """(batch, time, width) -> the same shape; `turn` from `Rotary`."""
        left, right, time = self.attention.left, self.attention.right, x.shape[1]
        size = max(SEGMENT, 4 * (left + right))
        if attend or torch.is_grad_enabled() or time <= size:
            return self._feed(self._attend(x, turn, attend))
        # Segment by segment, each with what its windows reach: so activations stay in the cache,
        # and long recordings are as fast as short ones.
        done = []
        for start in range(0, time, size):
            begin, end = max(0, start - left), min(time, start + size + right)
            seen = self._attend(x[:, begin:end], (turn[0][begin:end], turn[1][begin:end]), None)
            done.append(self._feed(seen[:, start - begin : start - begin + size]))
        return torch.cat(done, 1)

    def _attend(self, x: Tensor, turn: tuple[Tensor, Tensor], attend: Attend | None) -> Tensor:
        out: Tensor = x + self.attention_scale * self.attention(
            self.attention_norm(x), turn, attend
        )
        return out

    def _feed(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.feed_scale * self.feed(self.feed_norm(x))
        return out


class SelfAttention(nn.Module):
    """Multi-head attention within a sliding window; queries and keys normalised per head."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        width, self.head_dim = config.model.width, config.model.head_dim
        biases = config.model.biases
        self.left, self.right = window_sides(config.attention.window, config.attention.causal)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_norm = nn.LayerNorm(self.head_dim, eps=QK_NORM_EPS, bias=biases)
        self.k_norm = nn.LayerNorm(self.head_dim, eps=QK_NORM_EPS, bias=biases)
        self.to_out = nn.Linear(width, width, bias=False)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], attend: Attend | None = None
    ) -> Tensor:
        """(batch, time, width) -> the same shape; a stream brings its own `attend`."""
        qkv = self.to_qkv(x).unflatten(2, (3, -1, self.head_dim))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (batch, heads, time, head_dim)
        q, k = rotate(self.q_norm(q), turn).to(v.dtype), rotate(self.k_norm(k), turn).to(v.dtype)
        seen = attend(q, k, v) if attend else self.within_window(q, k, v)
        out: Tensor = self.to_out(seen.transpose(1, 2).flatten(2))
        return out

    def within_window(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend over a whole recording."""
        return sliding_window_attention(q, k, v, self.left, self.right)


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

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        turned = head_dim // ROTARY_SHARE
        frequencies = 10_000.0 ** -(torch.arange(0, turned, 2) / turned)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, start: int, time: int) -> tuple[Tensor, Tensor]:
        """Return cosines and sines of positions start .. start + time - 1: (time, head_dim / 4)."""
        assert isinstance(self.frequencies, Tensor)
        positions = torch.arange(start, start + time, device=self.frequencies.device)
        # In float32, angles half an hour into a recording would be wrong by 0.01 rad.
        angles = positions[:, None].double() * self.frequencies.double()
        return angles.cos().to(self.frequencies), angles.sin().to(self.frequencies)


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Turn the first half of the features of `x` (..., time, head_dim) by its positions."""
    cos, sin = turn
    one, other, still = x.split([cos.shape[-1], cos.shape[-1], x.shape[-1] - 2 * cos.shape[-1]], -1)
    return torch.cat([one * cos - other * sin, other * cos + one * sin, still], -1)


def matrix_convolution(conv: nn.Module, std: float) -> nn.Module:
    """Draw a convolution's weight from N(0, std^2) and keep it as a matrix; its bias begins at 0.

    The paper normalises these weights (weight_norm). As plain matrices they can be trained by
    Muon as the others are, which normalises the updates and gains 0.5 dB of SI-SDR at equal time.
    """
    weight, bias = conv.weight, conv.bias
    assert isinstance(weight, nn.Parameter)
    assert isinstance(bias, nn.Parameter)
    nn.init.normal_(weight, std=std)
    nn.init.zeros_(bias)
    return register_parametrization(conv, "weight", Folded(weight.shape))


class Folded(nn.Module):
    """A matrix as the weight of a convolution: its rows unfold to the other dimensions."""

    def __init__(self, shape: torch.Size) -> None:
        super().__init__()
        self.inner = shape[1:]

    def forward(self, matrix: Tensor) -> Tensor:
        """(rows, ...) -> the shape of the weight."""
        weight: Tensor = matrix.unflatten(1, self.inner)
        return weight

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The shape of the weight -> (rows, ...)."""
        return weight.flatten(1)


class Convolution(nn.Module):
    """Convolution over time, "same" length, on (batch, time, features); odd kernels.

    It is centred, or causal: then the last tap meets the current frame. Initially it multiplies
    the root mean square of white input by `gain`.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, causal: bool, gain: float = 1.0
    ) -> None:
        super().__init__()
        # Conv1d pads both ends alike; causal outputs beyond the end are cut off below.
        conv = nn.Conv1d(inputs, outputs, kernel, padding=kernel - 1 if causal else kernel // 2)
        self.conv = matrix_convolution(conv, gain * (inputs * kernel) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, inputs) -> (batch, time, outputs)."""
        out: Tensor = self.conv(x.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2)
        return out


class Downsample(nn.Module):
    """Strided convolution: `stride` frames become one; causal: these and the `stride` before."""

    def __init__(self, width: int, stride: int, causal: bool) -> None:
        super().__init__()
        # A kernel of 2s at stride s overlaps its neighbours by s in all: pad s, split both ways.
        before = stride if causal else stride // 2
        self.padding = (before, stride - before)
        conv = nn.Conv1d(width, width, 2 * stride, stride)
        self.conv = matrix_convolution(conv, (2 * stride * width) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) -> (batch, time / stride, width); time is a whole multiple."""
        out: Tensor = self.conv(F.pad(x.transpose(1, 2), self.padding)).transpose(1, 2)
        return out


class Upsample(nn.Module):
    """Transposed strided convolution: one frame becomes `stride`; causal: of it and the last."""

    def __init__(self, width: int, stride: int, causal: bool) -> None:
        super().__init__()
        self.stride = stride
        self.skip = 0 if causal else stride // 2  # outputs that would come before the first frame
        conv = nn.ConvTranspose1d(width, width, 2 * stride, stride)
        self.conv = matrix_convolution(conv, (2 * width) ** -0.5)  # an output meets two frames

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) -> (batch, time * stride, width)."""
        grown = self.conv(x.transpose(1, 2))[..., self.skip :]
        out: Tensor = grown[..., : x.shape[1] * self.stride].transpose(1, 2)
        return out
