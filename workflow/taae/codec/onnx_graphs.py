"""Encoder and decoder of a codec as ONNX graphs, for any number of samples.

The exporter traces: it records the operations of one input. So what the codec chooses by the
length of its input is replaced by one form that holds for every length: transformers attend in
blocks (`blockwise`), and no layer is computed segment by segment.

torch's exporter of recorded operations (`dynamo=False`) needs no further package. The newer one
needs onnxscript; its graphs would be no better here, where nothing but the length varies.
"""

from __future__ import annotations

import copy
import warnings
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taae.codec.attention import BLOCK
from taae.codec.codec import Codec
from taae.codec.taae import Layer, Transformer

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
OPSET = 18  # of onnxruntime 1.14 and later; LayerNormalization is an operation since 17
HIDDEN = -1e30  # a finite score that softmax makes 0, so that rows without any key stay finite
FRAMES = 3  # of the input that is traced; no length is special


def write_graphs(codec: Codec, folder: Path) -> None:
    """Write encoder.onnx and decoder.onnx of a codec, in float32, to an existing folder.

    The encoder takes `audio` (batch, samples), the decoder gives it as (batch, frames * hop);
    `codes` are int64 (batch, frames, columns). Memory and work grow linearly with the length.
    """
    audio = torch.zeros(1, FRAMES * codec.hop)
    codes = codec.encode(audio).clone()  # no inference tensor
    _write(EncoderGraph(codec), audio, folder / ENCODER, ("audio", "codes"))
    _write(DecoderGraph(codec), codes, folder / DECODER, ("codes", "audio"))


class EncoderGraph(nn.Module):
    """(batch, samples) -> codes (batch, frames, columns); the last frame is filled with silence."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.hop, self.quantizer = codec.hop, codec.quantizer
        self.network = for_any_length(codec.encoder)

    def forward(self, audio: Tensor) -> Tensor:
        """Return the codes of `audio`."""
        filled = F.pad(audio, (0, -audio.shape[1] % self.hop))
        return self.quantizer.quantize(self.network(filled))


class DecoderGraph(nn.Module):
    """Codes (batch, frames, columns) -> (batch, frames * hop)."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.quantizer = codec.quantizer
        self.network = for_any_length(codec.decoder)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the audio of `codes`."""
        audio: Tensor = self.network(self.quantizer.dequantize(codes))
        return audio


def for_any_length(module: nn.Module) -> nn.Module:
    """Return a copy of `module` whose transformers attend by `blockwise`; its weights are plain."""
    if isinstance(module, Transformer):
        return _AnyLength(module)
    if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
        return _plain(module)
    twin = copy.copy(module)
    twin._modules = {
        name: child and for_any_length(child) for name, child in module._modules.items()
    }
    return twin


def _plain(conv: nn.Conv1d | nn.ConvTranspose1d) -> nn.Module:
    """Return a convolution whose weight is no matrix that becomes one at each use."""
    kind = nn.Conv1d if isinstance(conv, nn.Conv1d) else nn.ConvTranspose1d
    (kernel,), (stride,) = conv.kernel_size, conv.stride
    plain = kind(conv.in_channels, conv.out_channels, kernel, stride)
    plain.load_state_dict({"weight": conv.weight, "bias": conv.bias})
    return plain


class _AnyLength(nn.Module):
    """The transformer layers of one rate, in the form that a trace can hold."""

    def __init__(self, transformer: Transformer) -> None:
        super().__init__()
        self.rotary, self.layers = transformer.rotary, transformer.layers

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) -> the same shape."""
        rope = self.rotary(0, x.shape[1])
        for layer in self.layers:
            assert isinstance(layer, Layer)
            left, right = layer.attention.left, layer.attention.right
            x = layer(x, rope, partial(blockwise, left=left, right=right))
        return x


def blockwise(q: Tensor, k: Tensor, v: Tensor, left: int, right: int) -> Tensor:
    """Attend as `sliding_window_attention` does, by the same operations at every length.

    Queries are taken in blocks; each meets the stretch of keys that its queries can see, those
    beyond the ends of the recording hidden. Memory grows with time * (left + right + BLOCK).

    Args:
        q, k, v: (batch, heads, time, dim).
        left, right: keys seen before and after the query.
    """
    time, reach = q.shape[2], left + BLOCK + right
    fill = -time % BLOCK
    length = time + fill

    def stretches(x: Tensor) -> Tensor:
        """Return what each block meets: (batch, heads, blocks, reach, dim)."""
        padded, parts = F.pad(x, (0, 0, left, fill + BLOCK + right)), []
        for place in range(0, reach, BLOCK):
            blocks = padded[:, :, place : place + length].unflatten(2, (-1, BLOCK))
            parts.append(blocks[..., : min(BLOCK, reach - place), :])
        return torch.cat(parts, 3)

    queries = F.pad(q, (0, 0, 0, fill)).unflatten(2, (-1, BLOCK))
    key = torch.arange(-left, reach - left, device=q.device)  # its place, seen from the block
    ahead = key - torch.arange(BLOCK, device=q.device)[:, None]
    outside = (ahead < -left) | (ahead > right)  # (BLOCK, reach): of the window
    place = torch.arange(0, length, BLOCK, device=q.device)[:, None, None] + key
    beyond = (place < 0) | (place >= time)  # (blocks, 1, reach): of the recording
    scores = (queries * q.shape[-1] ** -0.5) @ stretches(k).transpose(-1, -2)
    scores = scores.masked_fill(outside | beyond, HIDDEN)
    attended: Tensor = scores.softmax(-1) @ stretches(v)
    return attended.flatten(2, 3)[:, :, :time]


def _write(graph: nn.Module, example: Tensor, path: Path, names: tuple[str, str]) -> None:
    """Trace a graph and write it; batch and length stay free."""
    axes = {"audio": {0: "batch", 1: "samples"}, "codes": {0: "batch", 1: "frames"}}
    with warnings.catch_warnings():
        # That this exporter is the older one, and that lengths of parts were taken as constant.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.eval(),
            (example,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=[names[0]],
            output_names=[names[1]],
            dynamic_axes={name: axes[name] for name in names},
        )
