"""Reach, latency and costs from the config, against models that are perturbed and counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from taae.codec.codec import Codec
from taae.codec.complexity import Profile, milliseconds, profile, receptive_span
from taae.codec.config import Attention, Bottleneck, CodecConfig
from taae.codec.layer_geometry import codec_layers
from tests.unit.codec import codecs
from tests.unit.codec.reach import reached

MODEL = replace(codecs.MODEL, patch=8, width=8, head_dim=4, ff_mult=1, layer_scale=1.0)
SHAPES = [
    ([], [2]),
    ([2], [1, 1]),
    ([3], [2, 1]),
    ([3, 2], [1, 1, 1]),
]
ATTENTION = [Attention(4, False), Attention(6, False), Attention(3, True), Attention(1, True)]


def config(strides: list[int], layers: list[int], attention: Attention) -> CodecConfig:
    model = replace(MODEL, strides=strides, layers=layers)
    return CodecConfig(model, attention, codecs.BOTTLENECK)


def codec(config: CodecConfig) -> Codec:
    torch.manual_seed(0)
    model = Codec(config).eval().double()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "conv" in name:
                weight *= 0.6  # or tanh would saturate and lose what comes the longest way
    return model


def unrounded(model: Codec, wave: Tensor) -> Tensor:
    """Encoder and decoder without rounding, which could hide or not hide a change."""
    out: Tensor = model.decoder(model.quantizer.bound(model.encoder(wave)))
    return out


def costs(config: CodecConfig) -> Profile:
    return profile(config)


@pytest.mark.parametrize("attention", ATTENTION, ids=str)
@pytest.mark.parametrize(("strides", "layers"), SHAPES, ids=str)
def test_a_changed_sample_reaches_just_the_predicted_samples(
    strides: list[int], layers: list[int], attention: Attention
) -> None:
    """For every phase in a frame the first and the last changed sample are the predicted ones."""
    shape = config(strides, layers, attention)
    model, hop = codec(shape), shape.model.hop
    encoder, decoder = codec_layers(shape)
    middle = 24 * hop
    phases = sorted({0, 1, *range(MODEL.patch - 1, hop, MODEL.patch)})
    wave = torch.randn(1, 64 * hop, dtype=torch.float64).repeat(len(phases) + 1, 1)
    for row, phase in enumerate(phases, 1):
        wave[row, middle + phase] += 1
    with torch.no_grad():
        latents, decoded = model.encoder(wave), unrounded(model, wave)
    waits = []
    for row, phase in enumerate(phases, 1):
        where = middle + phase
        changed = (latents[row] != latents[0]).any(-1).nonzero().flatten()
        expected = reached(encoder, where, latents.shape[1])
        assert (int(changed[0]), int(changed[-1])) == expected
        changed = (decoded[row] != decoded[0]).nonzero().flatten()
        expected = reached([*encoder, *decoder], where, wave.shape[1])
        assert (int(changed[0]), int(changed[-1])) == expected
        assert expected[0] > 0  # the ends of the recording are out of reach
        assert expected[1] < wave.shape[1] - 1
        waits.append(where - int(changed[0]) + 1)
    assert max(waits) == costs(shape).latency


@pytest.mark.parametrize("attention", ATTENTION, ids=str)
@pytest.mark.parametrize(("strides", "layers"), SHAPES, ids=str)
def test_gradients_give_the_receptive_fields(
    strides: list[int], layers: list[int], attention: Attention
) -> None:
    shape = config(strides, layers, attention)
    model, hop, expected = codec(shape), shape.model.hop, costs(shape)
    encoder, decoder = codec_layers(shape)
    wave = torch.randn(1, 64 * hop, dtype=torch.float64, requires_grad=True)
    latents = model.encoder(wave)
    (gradient,) = torch.autograd.grad(latents[0, 24].sum(), wave, retain_graph=True)
    first, last = ends(gradient[0])
    assert (first, last) == receptive_span(encoder, (24, 24))
    decoded, fields, ahead = unrounded(model, wave), [], []
    for sample in range(24 * hop, 25 * hop):
        (gradient,) = torch.autograd.grad(decoded[0, sample], wave, retain_graph=True)
        first, last = ends(gradient[0])
        assert (first, last) == receptive_span([*encoder, *decoder], (sample, sample))
        fields.append(last - first + 1)
        ahead.append(last - (25 * hop - 1))
    assert max(fields) == expected.receptive_field
    assert max(ahead) == expected.look_ahead


def ends(gradient: Tensor) -> tuple[int, int]:
    places = gradient.nonzero().flatten()
    return int(places[0]), int(places[-1])


@pytest.mark.parametrize(("strides", "layers"), SHAPES, ids=str)
def test_a_causal_codec_waits_for_its_frame_alone(strides: list[int], layers: list[int]) -> None:
    shape = config(strides, layers, Attention(64, True))
    found = costs(shape)
    assert found.latency == shape.model.hop
    assert found.look_ahead == 0


def test_the_papers_codec_looks_seconds_ahead() -> None:
    """By hand: 25 latents/s, window 128, 4 + 4 layers a side."""
    model = replace(MODEL, patch=320, strides=[2], layers=[4, 4], width=256, head_dim=64, ff_mult=4)
    found = profile(CodecConfig(model, Attention(128, False), Bottleneck()))
    # Frames of 20 ms: 3 + 4 * 64 in each first rate; latents of 40 ms: 1 + 4 * 64 each; and the
    # resampling pair looks one frame ahead on the way down, half a latent on the way up.
    ahead = 20 * (3 + 4 * 64) + 20 + 40 * 2 * (1 + 4 * 64) + 20 * (3 + 4 * 64)
    assert milliseconds(found.look_ahead) == pytest.approx(ahead, abs=60)
    assert found.latency > found.look_ahead
    causal = profile(CodecConfig(model, Attention(64, True), Bottleneck()))
    assert milliseconds(causal.latency) == 40


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("strides", "layers"), SHAPES, ids=str)
def test_parameters_are_counted(strides: list[int], layers: list[int], causal: bool) -> None:
    shape = config(strides, layers, Attention(4, causal))
    found = sum(weight.numel() for weight in codec(shape).parameters())
    assert costs(shape).parameters == found


def test_flops_are_those_that_torch_counts() -> None:
    """At a window as wide as the recording, where full attention does the same work."""
    shape = config([3, 2], [1, 2, 1], Attention(600, False))
    model, seconds = codec(shape).float().requires_grad_(False), 600 * 8 / 16_000
    wave = torch.zeros(1, 600 * 8)
    narrow = config([3, 2], [1, 2, 1], Attention(2, False))
    without = [
        costs(each).flops_per_second - attention_flops(each.attention.window)
        for each in (shape, narrow)
    ]
    assert without[0] == pytest.approx(without[1])
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        unrounded(model, wave)
    counted = sum(
        count
        for operation, count in counter.get_flop_counts()["Global"].items()
        if "attention" not in str(operation)
    )
    assert without[0] * seconds == pytest.approx(counted, rel=0.02)  # but for the padding


def attention_flops(window: int) -> float:
    """Scores and sums of values, by hand: layers [1, 2, 1] at 2000, 2000/3 and 2000/6 Hz."""
    return 2 * 2 * 2 * window * MODEL.width * (2000 + 2 * 2000 / 3 + 2000 / 6)


def test_costs_need_no_torch() -> None:
    import taae.codec.complexity

    assert not any(isinstance(value, type(nn)) for value in vars(taae.codec.complexity).values())
