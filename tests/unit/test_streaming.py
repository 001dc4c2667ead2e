"""Streaming against the offline codec: any chunking, the same tokens and samples, flat state."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from taae import streaming
from taae.codec import TAAE, CodecConfig
from taae.errors import TaaeError
from taae.latency import profile
from taae.stages import stages_of
from taae.streaming import StreamingDecoder, StreamingEncoder
from taae.study import Attention, Bottleneck, Model

MODEL = Model(
    patch=16,
    layers=[1, 1],
    strides=[2],
    width=16,
    head_dim=8,
    ff_mult=2,
    norm_eps=1e-2,
    layer_scale=0.5,
)
BOTTLENECK = Bottleneck(3, 5, "symmetric", "hybrid")
SHAPES = [([], [2]), ([2], [2, 1]), ([3, 2], [1, 1, 1])]


def codec(strides: list[int], layers: list[int], window: int, causal: bool = True) -> TAAE:
    torch.manual_seed(0)
    model = replace(MODEL, strides=strides, layers=layers)
    return TAAE(CodecConfig(model, Attention(window, causal), BOTTLENECK)).eval()


def encoded(encoder: StreamingEncoder, wave: Tensor, sizes: list[int]) -> Tensor:
    """Push chunks of `sizes`, over and over, then flush."""
    found, start = [], 0
    while start < wave.shape[1]:
        for size in sizes:
            found.append(encoder.push(wave[:, start : start + size]))
            start += size
    return torch.cat([*found, encoder.flush()], 1)


def decoded(decoder: StreamingDecoder, codes: Tensor, sizes: list[int]) -> Tensor:
    found, start = [], 0
    while start < codes.shape[1]:
        for size in sizes:
            found.append(decoder.push(codes[:, start : start + size]))
            start += size
    return torch.cat([*found, decoder.flush()], 1)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    window=st.sampled_from([1, 2, 7, 64]),
    samples=st.integers(1, 3000),
    batch=st.integers(1, 2),
    wave_chunks=st.lists(st.integers(0, 700), min_size=1, max_size=5).filter(any),
    code_chunks=st.lists(st.integers(0, 40), min_size=1, max_size=5).filter(any),
)
def test_tokens_and_samples_are_those_of_the_offline_codec_for_any_chunking(
    shape: tuple[list[int], list[int]],
    window: int,
    samples: int,
    batch: int,
    wave_chunks: list[int],
    code_chunks: list[int],
) -> None:
    model = codec(*shape, window).double()  # in which no token lies on the edge of two
    wave = torch.randn(batch, samples, dtype=torch.float64)
    codes = encoded(StreamingEncoder(model, batch), wave, wave_chunks)
    assert torch.equal(codes, model.encode(wave))
    found = decoded(StreamingDecoder(model, batch), codes, code_chunks)
    with torch.no_grad():
        expected = model.decoder(model.quantizer.dequantize(codes).double())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("chunk", [1, 3, 50])
def test_float32_is_near_too(chunk: int) -> None:
    model = codec([2], [2, 1], 16)
    wave = torch.randn(1, 120 * model.hop)
    codes = encoded(StreamingEncoder(model), wave, [chunk * model.hop])
    assert torch.equal(codes, model.encode(wave))
    found = decoded(StreamingDecoder(model), codes, [chunk])
    torch.testing.assert_close(found, model.decode(codes), rtol=0, atol=1e-5)


def test_each_frame_comes_out_as_soon_as_it_is_complete() -> None:
    model = codec([2], [1, 1], 8)
    encoder, decoder = StreamingEncoder(model), StreamingDecoder(model)
    assert encoder.push(torch.randn(1, model.hop - 1)).shape == (1, 0, 3)
    codes = encoder.push(torch.randn(1, 1))
    assert codes.shape == (1, 1, 3)
    assert decoder.push(codes).shape == (1, model.hop)
    assert decoder.push(codes[:, :0]).shape == (1, 0)
    assert encoder.push(torch.randn(1, 0)).shape == (1, 0, 3)
    assert encoder.flush().shape == (1, 0, 3)


@pytest.mark.parametrize(("strides", "layers"), SHAPES, ids=str)
@pytest.mark.parametrize("window", [1, 5, 64])
def test_the_state_has_the_predicted_size_at_every_frame(
    strides: list[int], layers: list[int], window: int
) -> None:
    model = codec(strides, layers, window)
    expected = profile(model.config.model, model.config.attention, BOTTLENECK).state_bytes
    encoder, decoder = StreamingEncoder(model), StreamingDecoder(model)
    for _ in range(100):
        assert encoder.state.nbytes + decoder.state.nbytes == expected
        decoder.push(encoder.push(torch.randn(1, model.hop)))
    for state in (encoder.state, decoder.state):  # nor do views hold on to what is gone
        caches = [cache for stack in state.stacks for cache in stack.caches]
        for kept in [*state.tails, *(cache.keys for cache in caches)]:
            assert kept.untyped_storage().nbytes() <= kept.nbytes + 4 * 16 * 16 * 16


def test_half_an_hour_in_the_stream_is_that_of_its_first_minute() -> None:
    """Positions matter relatively alone: the same sound, later, has the same tokens."""
    model = codec([2], [1, 1], 8)
    wave = torch.randn(1, 40 * model.hop)
    expected = model.encode(wave)
    encoder = StreamingEncoder(model)
    for stack in encoder.state.stacks:
        stack.position = 30 * 60 * 1000
    assert torch.equal(encoded(encoder, wave, [model.hop]), expected)


def test_a_long_push_is_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = codec([2], [1, 1], 8).double()
    wave = torch.randn(1, 50 * model.hop, dtype=torch.float64)
    expected = StreamingEncoder(model).push(wave)
    monkeypatch.setattr(streaming, "BLOCK", 7)
    assert torch.equal(StreamingEncoder(model).push(wave), expected)


def test_after_a_flush_a_new_stream_begins() -> None:
    model = codec([2], [1, 1], 8)
    wave = torch.randn(1, 333)
    encoder, decoder = StreamingEncoder(model), StreamingDecoder(model)
    first = encoded(encoder, wave, [100])
    assert torch.equal(first, encoded(encoder, wave, [100]))
    assert torch.equal(decoded(decoder, first, [1]), decoded(decoder, first, [1]))


def test_other_operating_points_stream_too() -> None:
    model = codec([2], [1, 1], 8).with_bottleneck(stages_of("2x15625"))
    wave = torch.randn(1, 20 * model.hop)
    codes = encoded(StreamingEncoder(model), wave, [model.hop])
    assert codes.shape == (1, 20, 6)
    assert torch.equal(codes, model.encode(wave))
    found = decoded(StreamingDecoder(model), codes, [1])
    torch.testing.assert_close(found, model.decode(codes), rtol=0, atol=1e-5)


def test_what_cannot_stream_is_refused() -> None:
    with pytest.raises(TaaeError, match=r"attention\.causal"):
        StreamingEncoder(codec([2], [1, 1], 8, causal=False))
    model = codec([2], [1, 1], 8)
    for wrong in (torch.zeros(5), torch.zeros(2, 5)):
        with pytest.raises(TaaeError, match="a chunk is"):
            StreamingEncoder(model).push(wrong)
    with pytest.raises(TaaeError, match="codes are"):
        StreamingDecoder(model).push(torch.zeros(2, 3, dtype=torch.int64))
