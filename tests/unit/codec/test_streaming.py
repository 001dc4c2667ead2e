"""Streaming against the offline codec: any chunking, the same codes and samples, flat state."""

from __future__ import annotations

import gc

import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from taae.codec import streaming
from taae.codec.codec import Codec
from taae.codec.complexity import profile
from taae.codec.config import Kind
from taae.codec.operating_points import stages_of
from taae.codec.streaming import StreamingDecoder, StreamingEncoder, StreamingTransformer
from taae.utils.errors import TaaeError
from tests.unit.codec import codecs

SHAPES: list[tuple[list[int], list[int], Kind]] = [
    ([], [2], "taae"),
    ([2], [2, 1], "taae"),
    ([3, 2], [1, 1, 1], "taae"),
    ([2], [2, 1], "conv"),
    ([3], [1, 1], "conv"),
]


def codec(
    strides: list[int], layers: list[int], kind: Kind = "taae", window: int = 8, causal: bool = True
) -> Codec:
    return codecs.codec(window, causal, strides=strides, layers=layers, kind=kind)


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


def state_bytes(*streams: StreamingEncoder | StreamingDecoder) -> int:
    return sum(tensor.nbytes for stream in streams for tensor in stream.state())


@settings(max_examples=40, deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    window=st.sampled_from([1, 2, 7, 64]),
    samples=st.integers(1, 3000),
    batch=st.integers(1, 2),
    wave_chunks=st.lists(st.integers(0, 700), min_size=1, max_size=5).filter(any),
    code_chunks=st.lists(st.integers(0, 40), min_size=1, max_size=5).filter(any),
)
def test_codes_and_samples_are_those_of_the_offline_codec_for_any_chunking(
    shape: tuple[list[int], list[int], Kind],
    window: int,
    samples: int,
    batch: int,
    wave_chunks: list[int],
    code_chunks: list[int],
) -> None:
    model = codec(*shape, window).double()  # in which no latent lies on the edge of two levels
    wave = torch.randn(batch, samples, dtype=torch.float64)
    codes = encoded(StreamingEncoder(model, batch), wave, wave_chunks)
    assert torch.equal(codes, model.encode(wave))
    found = decoded(StreamingDecoder(model, batch), codes, code_chunks)
    with torch.no_grad():
        expected = model.decoder(model.quantizer.dequantize(codes).double())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["taae", "conv"])
@pytest.mark.parametrize("chunk", [1, 3, 50])
def test_float32_is_near_too(kind: Kind, chunk: int) -> None:
    model = codec([2], [2, 1], kind, window=16)
    wave = torch.randn(1, 120 * model.hop)
    codes = encoded(StreamingEncoder(model), wave, [chunk * model.hop])
    assert torch.equal(codes, model.encode(wave))
    found = decoded(StreamingDecoder(model), codes, [chunk])
    torch.testing.assert_close(found, model.decode(codes), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["taae", "conv"])
def test_each_frame_comes_out_as_soon_as_it_is_complete(kind: Kind) -> None:
    model = codec([2], [1, 1], kind)
    encoder, decoder = StreamingEncoder(model), StreamingDecoder(model)
    assert encoder.push(torch.randn(1, model.hop - 1)).shape == (1, 0, 3)
    codes = encoder.push(torch.randn(1, 1))
    assert codes.shape == (1, 1, 3)
    assert decoder.push(codes).shape == (1, model.hop)
    assert decoder.push(codes[:, :0]).shape == (1, 0)
    assert encoder.push(torch.randn(1, 0)).shape == (1, 0, 3)
    assert encoder.flush().shape == (1, 0, 3)


@pytest.mark.parametrize(("strides", "layers", "kind"), SHAPES, ids=str)
@pytest.mark.parametrize("window", [1, 5, 64])
def test_the_state_has_the_predicted_size_at_every_frame(
    strides: list[int], layers: list[int], kind: Kind, window: int
) -> None:
    model = codec(strides, layers, kind, window)
    expected = profile(model.config).state_bytes
    encoder, decoder = StreamingEncoder(model), StreamingDecoder(model)
    for _ in range(100):
        assert state_bytes(encoder, decoder) == expected
        decoder.push(encoder.push(torch.randn(1, model.hop)))
    for kept in [*encoder.state(), *decoder.state()]:  # nor do views hold on to what is gone
        assert kept.untyped_storage().nbytes() <= kept.nbytes + 4 * 16 * 16 * 16


@pytest.mark.parametrize("kind", ["taae", "conv"])
def test_memory_is_flat_over_half_an_hour(kind: Kind) -> None:
    """45 000 frames, which is half an hour at the paper's 40 ms."""
    model = codec([2], [1, 1], kind, window=64)
    encoder, decoder = StreamingEncoder(model), StreamingDecoder(model)
    wave = 0.1 * torch.randn(1, 50 * model.hop)
    state, resident = state_bytes(encoder, decoder), []
    for chunk in range(900):
        decoder.push(encoder.push(wave))
        assert state_bytes(encoder, decoder) == state
        if chunk in (60, 899):
            resident.append((len(gc.get_objects()), psutil.Process().memory_info().rss))
    (objects, size), (more_objects, larger) = resident
    assert more_objects - objects < 500
    assert larger - size < 8e6  # keys and values that were kept would be 35 MB


def test_half_an_hour_in_the_stream_is_that_of_its_first_minute() -> None:
    """Positions matter relatively alone: the same sound, later, has the same codes."""
    model = codec([2], [1, 1])
    wave = torch.randn(1, 40 * model.hop)
    expected = model.encode(wave)
    encoder = StreamingEncoder(model)
    transformers = [
        each for each in encoder.network.modules() if isinstance(each, StreamingTransformer)
    ]
    assert len(transformers) == 2
    for transformer in transformers:
        transformer.position = 30 * 60 * 1000
    assert torch.equal(encoded(encoder, wave, [model.hop]), expected)


def test_a_long_push_is_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = codec([2], [1, 1]).double()
    wave = torch.randn(1, 50 * model.hop, dtype=torch.float64)
    expected = StreamingEncoder(model).push(wave)
    monkeypatch.setattr(streaming, "BLOCK", 7)
    assert torch.equal(StreamingEncoder(model).push(wave), expected)


def test_after_a_flush_a_new_stream_begins() -> None:
    model = codec([2], [1, 1])
    wave = torch.randn(1, 333)
    encoder, decoder = StreamingEncoder(model), StreamingDecoder(model)
    first = encoded(encoder, wave, [100])
    assert torch.equal(first, encoded(encoder, wave, [100]))
    assert torch.equal(decoded(decoder, first, [1]), decoded(decoder, first, [1]))


def test_other_operating_points_stream_too() -> None:
    model = codec([2], [1, 1]).with_bottleneck(stages_of("2x15625"))
    wave = torch.randn(1, 20 * model.hop)
    codes = encoded(StreamingEncoder(model), wave, [model.hop])
    assert codes.shape == (1, 20, 6)
    assert torch.equal(codes, model.encode(wave))
    found = decoded(StreamingDecoder(model), codes, [1])
    torch.testing.assert_close(found, model.decode(codes), rtol=0, atol=1e-5)


def test_what_cannot_stream_is_refused() -> None:
    for kind, ahead in (("taae", 36), ("conv", 7.625)):
        model = codec([2], [1, 1], kind, causal=False)  # type: ignore[arg-type]
        with pytest.raises(TaaeError, match=rf"looks {ahead} ms ahead.*attention\.causal"):
            StreamingEncoder(model)
    model = codec([2], [1, 1])
    for wrong in (torch.zeros(5), torch.zeros(2, 5)):
        with pytest.raises(TaaeError, match="a chunk is"):
            StreamingEncoder(model).push(wrong)
    with pytest.raises(TaaeError, match="codes are"):
        StreamingDecoder(model).push(torch.zeros(2, 3, dtype=torch.int64))
