"""The causal codec: nothing comes from the future, and the other codec is as it was."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from taae.codec.layers import Convolution, Upsampling
from tests.unit.codec.codecs import codec


@settings(max_examples=30, deadline=None)
@given(
    strides=st.sampled_from([[], [2], [3], [3, 2]]),
    window=st.integers(1, 12),
    kept=st.integers(1, 12),
    more=st.integers(1, 12),
)
def test_a_cut_recording_has_the_codes_and_samples_of_the_whole(
    strides: list[int], window: int, kept: int, more: int
) -> None:
    model = codec(window, causal=True, strides=strides).double()
    wave = torch.randn(2, (kept + more) * model.hop, dtype=torch.float64)
    cut = wave[:, : kept * model.hop]
    assert torch.equal(model.encode(wave)[:, :kept], model.encode(cut))
    with torch.no_grad():
        whole, part = model(wave)[:, : cut.shape[1]], model(cut)
    torch.testing.assert_close(whole, part, rtol=0, atol=1e-12)


@pytest.mark.parametrize("stride", [2, 3, 5])
def test_the_layers_equal_their_definitions(stride: int) -> None:
    x = torch.randn(2, 6 * stride, 4)
    features = x.transpose(1, 2)
    for causal in (True, False):
        layer = Convolution(4, 5, 7, causal)
        expected = F.conv1d(
            F.pad(features, (6, 0) if causal else (3, 3)), layer.conv.weight, layer.conv.bias
        )
        torch.testing.assert_close(layer(x), expected.transpose(1, 2))
        down = Convolution(4, 4, 2 * stride, causal, stride)
        before = stride if causal else stride // 2
        padded = F.pad(features, (before, stride - before))
        expected = F.conv1d(padded, down.conv.weight, down.conv.bias, stride)
        torch.testing.assert_close(down(x), expected.transpose(1, 2))
        # Up, as the sum over its definition: input j adds to the outputs from j * stride on.
        up = Upsampling(4, 4, stride, causal)
        skip = 0 if causal else stride // 2
        grown = torch.zeros(2, 4, (x.shape[1] + 1) * stride) + up.conv.bias[:, None]
        for j in range(x.shape[1]):
            grown[:, :, j * stride : (j + 2) * stride] += torch.einsum(
                "bi,iok->bok", x[:, j], up.conv.weight
            )
        expected = grown[..., skip : skip + x.shape[1] * stride]
        torch.testing.assert_close(up(x), expected.transpose(1, 2))


def test_causal_or_not_the_weights_have_one_layout() -> None:
    one, other = (codec(causal=causal).state_dict() for causal in (True, False))
    assert {name: weight.shape for name, weight in one.items()} == {
        name: weight.shape for name, weight in other.items()
    }


def test_positions_are_exact_hours_into_a_recording() -> None:
    rotary = codec(causal=True).encoder.blocks[0].rotary  # type: ignore[union-attr]
    assert isinstance(rotary.frequencies, torch.Tensor)
    start = 3 * 3600 * 100
    cos, sin = rotary(start, 4)  # type: ignore[operator]
    angles = torch.arange(start, start + 4)[:, None].double() * rotary.frequencies.double()
    torch.testing.assert_close(cos.double(), angles.cos(), rtol=0, atol=1e-7)
    torch.testing.assert_close(sin.double(), angles.sin(), rtol=0, atol=1e-7)
