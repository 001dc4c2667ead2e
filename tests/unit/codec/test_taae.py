"""The codec: shapes, lengths, its window, and saving."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taae.codec.codec import load_codec
from taae.utils.errors import TaaeError
from tests.unit.codec.codecs import codec


@settings(max_examples=40, deadline=None)
@given(
    samples=st.integers(1, 500),
    batch=st.integers(1, 3),
    strides=st.sampled_from([[], [2], [3], [2, 3]]),
)
def test_the_output_is_as_long_as_the_input(samples: int, batch: int, strides: list[int]) -> None:
    model = codec(strides=strides)
    wave = torch.randn(batch, samples)
    codes = model.encode(wave)
    assert codes.dtype == torch.int64
    assert codes.shape == (batch, -(-samples // model.hop), 3)
    assert codes.min() >= 0
    assert codes.max() < 5
    assert model.decode(codes, samples).shape == wave.shape
    assert model.decode(codes).shape == (batch, codes.shape[1] * model.hop)
    assert model(wave).shape == wave.shape


def test_forward_in_evaluation_is_decode_of_encode() -> None:
    model, wave = codec(), torch.randn(2, 333)
    with torch.no_grad():
        torch.testing.assert_close(model(wave), model.decode(model.encode(wave), 333))


def test_a_sample_reaches_what_windows_and_convolutions_let_it_reach_and_no_more() -> None:
    """Reach by adding up the layers by hand: encoder, decoder, both rates."""
    model = codec().double()
    latents_per_step = 2  # frames of the first rate per latent
    left, right = 3, 4  # window 8
    frames = 400
    wave = torch.randn(1, frames * 16, dtype=torch.float64)
    changed = wave.clone()
    where = 200 * 16 + 5
    changed[0, where] += 1
    with torch.no_grad():  # without rounding: quantization could hide or not hide a change
        before, after = (
            model.decoder(model.quantizer.bound(model.encoder(x))) for x in (wave, changed)
        )
    touched = (before != after)[0].nonzero().flatten() // 16
    # In frames at the first rate. Convolutions: 3 on each side in and out; the strided pair
    # kernel 4: 2 each; the two 3-tap ones at the inner rate: 1 latent each. Attention: one layer
    # per rate in encoder and decoder. A query sees `right` ahead, so a change reaches back.
    convolutions = 3 + 2 + latents_per_step * (1 + 1) + 2 + 3
    back = convolutions + 2 * right + latents_per_step * 2 * right
    ahead = convolutions + 2 * left + latents_per_step * 2 * left
    assert touched.min() >= 200 - back
    assert touched.max() <= 200 + ahead
    assert touched.min() <= 200 - back // 2  # and it does reach far, past the convolutions
    assert touched.max() >= 200 + ahead // 2


def test_parameters_of_a_layer_are_16_width_squared() -> None:
    model = codec(ff_mult=4, width=64, head_dim=16)
    weights = sum(
        weight.numel()
        for weight in model.encoder.blocks[0].layers[0].parameters()  # type: ignore[union-attr,index]
        if weight.dim() == 2
    )
    assert weights == 16 * 64**2


def test_saved_and_loaded_is_the_same_codec(tmp_path: Path) -> None:
    model, wave = codec(), torch.randn(1, 321)
    model.save_pretrained(tmp_path / "model")
    loaded = load_codec(tmp_path / "model")
    assert loaded.config == model.config
    assert torch.equal(loaded.encode(wave), model.encode(wave))
    assert torch.equal(loaded.decode(model.encode(wave)), model.decode(model.encode(wave)))


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaaeError, match="No such file"):
        load_codec(tmp_path)
    model = codec()
    model.save_pretrained(tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[:-100])
    with pytest.raises(TaaeError, match="not the weights"):
        load_codec(tmp_path)
    codec(width=32).save_pretrained(tmp_path / "other")
    (tmp_path / "model.safetensors").write_bytes(
        (tmp_path / "other" / "model.safetensors").read_bytes()
    )
    with pytest.raises(TaaeError, match="not the weights"):
        load_codec(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(TaaeError, match="not the config"):
        load_codec(tmp_path)


@pytest.mark.parametrize("wave", [torch.zeros(100), torch.zeros(1, 0), torch.zeros(1, 2, 3)])
def test_what_is_no_waveform_is_refused(wave: torch.Tensor) -> None:
    with pytest.raises(TaaeError, match="batch, samples"):
        codec().encode(wave)


@pytest.mark.parametrize(("window", "causal"), [(4, False), (3, True)])
def test_inference_in_segments_is_that_of_the_whole(
    window: int, causal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = codec(window, causal).double()
    wave = torch.randn(2, 101 * 32, dtype=torch.float64)
    whole = model.decoder(model.encoder(wave)).detach()  # with gradients nothing is cut
    for segment in (1, 13, 100):
        monkeypatch.setattr("taae.codec.taae.SEGMENT", segment)
        with torch.inference_mode():
            found = model.decoder(model.encoder(wave))
        torch.testing.assert_close(found, whole, rtol=0, atol=1e-12)
