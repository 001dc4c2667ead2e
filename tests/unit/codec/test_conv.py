"""The convolutional codec: the same interface, hop and size as the TAAE of its config."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taae.codec.codec import Codec, load_codec
from taae.codec.complexity import profile
from taae.codec.config import Attention, CodecConfig
from taae.codec.conv import Encoder as ConvEncoder
from taae.codec.layer_geometry import codec_layers, conv_shape, conv_strides, parameter_count
from taae.codec.taae import Encoder as TransformerEncoder
from taae.study.checks import training_coverage
from taae.study.load import resolve
from taae.study.overlay import merge, read_yaml
from taae.utils.errors import TaaeError
from tests.unit.codec import codecs
from tests.unit.codec.reach import reached

MODEL = replace(codecs.MODEL, patch=12, ff_mult=4, kind="conv")
ROOT = Path(__file__).parents[3]


def codec(causal: bool = False, **changes: object) -> Codec:
    return codecs.codec(causal=causal, **vars(MODEL) | changes)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("samples", [1, 23, 24, 25, 500])
def test_codes_and_samples_are_as_many_as_the_taae_has(causal: bool, samples: int) -> None:
    conv, taae = codec(causal), codec(causal, kind="taae")
    assert isinstance(conv.encoder, ConvEncoder)
    assert isinstance(taae.encoder, TransformerEncoder)
    wave = torch.randn(2, samples)
    codes = conv.encode(wave)
    assert codes.shape == taae.encode(wave).shape
    assert conv.decode(codes, samples).shape == wave.shape
    assert conv.decode(codes).shape == taae.decode(codes).shape
    with torch.no_grad():
        torch.testing.assert_close(conv(wave), conv.decode(codes, samples))


@given(hop=st.integers(2, 2000))
def test_strides_multiply_to_the_hop(hop: int) -> None:
    strides = conv_strides(hop)
    assert math.prod(strides) == hop
    assert strides == sorted(strides)
    for stride in strides:
        assert stride <= 8 or all(stride % n for n in range(2, stride))


def test_strides_by_hand() -> None:
    assert conv_strides(320) == [5, 8, 8]
    assert conv_strides(26) == [2, 13]


@pytest.mark.parametrize(
    ("width", "layers", "patch"), [(64, [1, 1], 40), (128, [2, 3], 160), (256, [4, 4], 320)]
)
def test_parameters_are_as_many_as_the_taae_has(width: int, layers: list[int], patch: int) -> None:
    model = replace(MODEL, width=width, layers=layers, patch=patch)
    conv, taae = (
        parameter_count(
            CodecConfig(replace(model, kind=kind), Attention(8, True), codecs.BOTTLENECK)  # type: ignore[arg-type]
        )
        for kind in ("conv", "taae")
    )
    assert conv == pytest.approx(taae, rel=0.03)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("patch", [12, 35])
def test_costs_and_reach_are_those_of_the_model(causal: bool, patch: int) -> None:
    model = codec(causal, patch=patch).double()
    config = model.config
    expected = profile(config)
    assert sum(weight.numel() for weight in model.parameters()) == expected.parameters
    assert (expected.state_bytes is None) == (not causal)
    if causal:
        assert expected.latency == model.hop
    encoder, decoder = codec_layers(config)
    wave = torch.randn(1, 20 * model.hop, dtype=torch.float64)
    for phase in (0, 1, model.hop - 1):
        place = 10 * model.hop + phase
        source = wave.clone().requires_grad_()
        out = model.decoder(model.quantizer.bound(model.encoder(source)))[0]
        first, last = reached([*encoder, *decoder], place, wave.shape[1])
        assert first > 0
        assert last < wave.shape[1] - 1
        for sample, seen in ((first - 1, False), (first, True), (last, True), (last + 1, False)):
            (gradient,) = torch.autograd.grad(out[sample], source, retain_graph=True)
            assert bool(gradient[0, place] != 0) == seen


@settings(max_examples=10, deadline=None)
@given(kept=st.integers(1, 10), more=st.integers(1, 10))
def test_causal_means_nothing_from_the_future(kept: int, more: int) -> None:
    model = codec(causal=True).double()
    wave = torch.randn(1, (kept + more) * model.hop, dtype=torch.float64)
    with torch.no_grad():
        whole, part = model(wave), model(wave[:, : kept * model.hop])
    torch.testing.assert_close(whole[:, : part.shape[1]], part, rtol=0, atol=1e-12)


def test_it_starts_with_signals_of_sound_size() -> None:
    """Neither vanishing nor exploding, so that training can begin."""
    model, wave = codec(patch=160, width=128), 0.1 * torch.randn(1, 32_000)
    with torch.no_grad():
        latents, decoded = model.encoder(wave), model(wave)
    assert 0.2 < latents.square().mean().sqrt() < 5
    assert 0.01 < decoded.square().mean().sqrt() < 1


def test_it_learns() -> None:
    model = codec().train()
    wave = 0.1 * torch.randn(4, 240)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = (model(wave) - wave).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    model, wave = codec(), torch.randn(1, 333)
    model.save_pretrained(tmp_path)
    loaded = load_codec(tmp_path)
    assert isinstance(loaded.encoder, ConvEncoder)
    assert torch.equal(loaded.encode(wave), model.encode(wave))


def test_as_a_variant_it_is_comparable_but_has_no_window() -> None:
    config = merge(read_yaml(ROOT / "config.yaml"), {"training": {"start": "scratch"}})
    body = {"title": "t", "varies": ["model.kind"], "variants": ["conv"], "primary": "stoi"}
    variants = {
        "conv": {"model": {"kind": "conv"}},
        "conv-32": {"model": {"kind": "conv"}, "attention": {"window": 32}},
    }
    study = resolve(merge(config, {"variants": variants, "ablations": {"a": body}}))
    assert training_coverage(study.variants["conv"]) == []
    windows = body | {"varies": ["attention.window"], "reference": "conv", "variants": ["conv-32"]}
    with pytest.raises(TaaeError, match="'conv-32' and 'conv' are the same model"):
        resolve(merge(config, {"variants": variants, "ablations": {"a": windows}}))


def test_the_shape_does_not_depend_on_the_window() -> None:
    shapes = [
        conv_shape(CodecConfig(MODEL, Attention(window, False), codecs.BOTTLENECK))
        for window in (8, 128)
    ]
    assert shapes[0] == shapes[1]
