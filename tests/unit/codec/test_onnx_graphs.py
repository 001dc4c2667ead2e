"""Graphs for onnxruntime code as PyTorch does, at every length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taae.codec.attention import BLOCK, sliding_window_attention
from taae.codec.codec import Codec
from taae.codec.config import Bottleneck
from taae.codec.onnx_graphs import DECODER, ENCODER, blockwise, write_graphs
from taae.codec.operating_points import stages_of
from tests.unit.codec.codecs import codec

HOP = 32
LENGTHS = [1, HOP - 1, HOP, HOP + 1, 700, 5 * BLOCK * HOP + 17]  # several blocks at the slow rate
CODECS = {
    "whole-file": lambda: codec(),
    "causal": lambda: codec(causal=True),
    "window over several blocks": lambda: codec(window=3 * BLOCK),
    "three rates": lambda: codec(strides=[2, 3], window=6),
    "biases": lambda: codec(biases=True),
    "conv": lambda: codec(kind="conv"),
    "conv, causal": lambda: codec(kind="conv", causal=True),
    "original rounding": lambda: codec(bottleneck=Bottleneck(3, 4, "original", "ste")),
    "residual FSQ": lambda: codec().with_bottleneck(stages_of("2x15625")),
    "own levels": lambda: codec().with_bottleneck(stages_of("6@own")),
}


def sessions(folder: Path) -> list[onnxruntime.InferenceSession]:
    return [onnxruntime.InferenceSession(folder / name) for name in (ENCODER, DECODER)]


@pytest.mark.parametrize("name", CODECS)
def test_codes_and_audio_are_those_of_pytorch(name: str, tmp_path: Path) -> None:
    model: Codec = CODECS[name]()
    write_graphs(model, tmp_path)
    encoder, decoder = sessions(tmp_path)
    different = total = 0
    for samples in LENGTHS:
        wave = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(samples))
        codes = model.encode(wave)
        (found,) = encoder.run(None, {"audio": wave.numpy()})
        assert found.shape == tuple(codes.shape)
        assert found.dtype == np.int64
        total, different = total + found.size, different + int((found != codes.numpy()).sum())
        (audio,) = decoder.run(None, {"codes": codes.numpy()})
        np.testing.assert_allclose(audio, model.decode(codes).numpy(), rtol=0, atol=1e-5)
    assert total > 500
    assert len(np.unique(found)) > 2  # the codes differ from each other
    assert different <= 1  # a latent may lie on the border of two levels


@settings(max_examples=60, deadline=None)
@given(
    time=st.integers(1, 3 * BLOCK + 1),
    left=st.integers(0, 2 * BLOCK + 3),
    right=st.integers(0, 2 * BLOCK + 3),
)
def test_blocks_attend_to_the_window(time: int, left: int, right: int) -> None:
    q, k, v = torch.randn(3, 2, 1, time, 4, generator=torch.Generator().manual_seed(time))
    expected = sliding_window_attention(q, k, v, left, right, "blocked")
    torch.testing.assert_close(blockwise(q, k, v, left, right), expected, rtol=0, atol=1e-5)


def test_an_export_leaves_the_codec_as_it_was_and_can_be_repeated(tmp_path: Path) -> None:
    model, untouched = codec(), codec()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_graphs(model, tmp_path / name)
    for file in (ENCODER, DECODER):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()
    assert model.state_dict().keys() == untouched.state_dict().keys()
    wave = torch.randn(1, 400, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(wave), untouched(wave))


def test_graphs_are_plain_onnx_without_paths(tmp_path: Path) -> None:
    write_graphs(codec(), tmp_path)
    for file in (ENCODER, DECODER):
        onnx.checker.check_model(tmp_path / file, full_check=True)
        graph = onnx.load(tmp_path / file)
        assert [each.domain for each in graph.opset_import] == [""]
        assert b".py" not in graph.SerializeToString()
