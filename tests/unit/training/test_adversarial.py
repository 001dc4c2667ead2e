"""The adversarial game: closed forms, an STFT oracle, and that neither player trains the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from taae.training import train as loop
from taae.training.adversarial import (
    Adversary,
    Discriminator,
    adversarial,
    feature_matching,
    hinge,
)
from taae.training.losses import Spectrum, weighted_sum, weights
from taae.training.trainer import Trainer
from taae.utils.errors import TaaeError
from tests.unit.training.trainings import ADVERSARIAL, noise_corpus, tiny

CPU = torch.device("cpu")
EXACT = {**ADVERSARIAL, "precision": "float32"}


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return noise_corpus(tmp_path / "corpus", monkeypatch)


def opinion(logits: list[float], features: list[list[float]]) -> tuple[Tensor, list[Tensor]]:
    return torch.tensor(logits), [torch.tensor(layer)[:, None] for layer in features]


def test_hinge_and_adversarial_losses_in_closed_form() -> None:
    real = [opinion([2.0, 0.5], []), opinion([-1.0, 1.0], [])]
    fake = [opinion([-3.0, 0.0], []), opinion([1.0, -0.5], [])]
    # scale 1: real (0 + 0.5) / 2, decoded (0 + 1) / 2; scale 2: (2 + 0) / 2 and (2 + 0.5) / 2
    assert hinge(real, fake).item() == pytest.approx((0.25 + 0.5 + 1 + 1.25) / 2)
    assert adversarial(fake).item() == pytest.approx((1.5 - 0.25) / 2)


def test_feature_matching_in_closed_form() -> None:
    real = [opinion([0.0], [[2.0, -4.0], [1.0, 1.0]])]
    fake = [opinion([0.0], [[3.0, -2.0], [1.0, 0.0]])]
    # Segment by segment: |3-2|/2, |-2+4|/4; layer 2: 0, 1
    assert feature_matching(real, fake).item() == pytest.approx((0.5 + 0.5) / 2 / 2 + (0 + 1) / 4)
    louder = [opinion([0.0], [[20.0, -40.0], [10.0, 10.0]])]
    also = [opinion([0.0], [[30.0, -20.0], [10.0, 0.0]])]
    torch.testing.assert_close(feature_matching(real, fake), feature_matching(louder, also))


@pytest.mark.parametrize("size", [78, 126, 128])
def test_the_spectrum_against_numpy_in_float64(size: int) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, (2, 1000))
    hop = size // 4
    window = np.sin(np.pi * np.arange(size) / size) ** 2
    window /= np.sqrt((window**2).sum())
    frames = np.stack(
        [wave[:, at : at + size] * window for at in range(0, 1000 - size + 1, hop)], 1
    )
    expected = np.fft.rfft(frames)
    spectrum = Spectrum(size, hop).double()
    spectrum.window = torch.tensor(window)
    found = torch.view_as_complex(spectrum(torch.tensor(wave))).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(Spectrum(size, hop).window.numpy(), window, atol=1e-7)


def test_shapes_and_names_of_the_discriminator() -> None:
    network = Discriminator([78, 126], 4)
    opinions = network(torch.randn(3, 800))
    assert len(opinions) == 2
    logits, features = opinions[0]
    times, bins = (800 - 78) // 19 + 1, 40
    assert [tuple(x.shape) for x in features] == [
        (3, 4, times, width) for width in (bins, bins // 2, bins // 4, bins // 8, bins // 8)
    ]
    assert logits.shape == (3, 1, times, bins // 8)
    parts = ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]
    modules = [*(f"layers.{layer}" for layer in range(5)), "to_logits"]
    names = [f"{module}.{part}" for module in modules for part in parts]
    expected = [f"scales.{scale}.{name}" for scale in range(2) for name in names]
    assert list(network.state_dict()) == expected
    assert not [name for name, weight in network.named_parameters() if not weight.requires_grad]


def gradients(network: torch.nn.Module) -> list[Tensor | None]:
    return [None if p.grad is None else p.grad.clone() for p in network.parameters()]


def test_both_gradients_are_those_of_two_separate_steps(corpus: Path) -> None:
    """One pass for both players gives what the textbook's two steps give."""
    variant = tiny(EXACT, bottleneck={"training": "ste"})
    trainer = Trainer(variant, 1, corpus, CPU)
    trainer.progress.step = 6
    wave = 0.1 * torch.randn(2, variant.segment_samples)
    assert trainer.adversary
    network = trainer.adversary.network

    trainer.codec.train()
    decoded = trainer.codec(wave)
    network.requires_grad_(False)
    terms = trainer.reconstruction(decoded, wave) | trainer.adversary.terms(decoded, wave, 6)
    loss = weighted_sum(terms, weights(variant.training.loss, 6))
    expected = torch.autograd.grad(loss, list(trainer.codec.parameters()), retain_graph=True)
    network.requires_grad_(True)
    own = trainer.adversary.terms(decoded.detach(), wave, 6)["discriminator"]
    expected_own = torch.autograd.grad(own, list(network.parameters()))

    found = trainer._forward_backward(wave, 0)
    for one, other in zip(gradients(trainer.codec), expected, strict=True):
        torch.testing.assert_close(one, other)
    for one, other in zip(gradients(network), expected_own, strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(found["discriminator"], own)


def test_neither_player_backpropagates_into_the_other(corpus: Path) -> None:
    variant = tiny(EXACT)
    trainer = Trainer(variant, 1, corpus, CPU)
    assert trainer.adversary
    network, own = trainer.adversary.network, list(trainer.adversary.network.parameters())
    wave = 0.1 * torch.randn(2, variant.segment_samples)
    decoded = (0.1 * torch.randn_like(wave)).requires_grad_()
    terms = trainer.adversary.terms(decoded, wave, 6)

    weighted_sum(terms, weights(variant.training.loss, 6)).backward(
        inputs=[decoded], retain_graph=True
    )
    assert decoded.grad is not None
    assert decoded.grad.abs().sum() > 0
    assert gradients(network) == [None] * len(own)

    before = decoded.grad.clone()
    terms["discriminator"].backward(inputs=own)
    assert torch.equal(decoded.grad, before)
    assert all(gradient is not None for gradient in gradients(network))
    assert gradients(trainer.codec) == [None] * len(list(trainer.codec.parameters()))


def test_the_discriminator_learns_to_tell_two_kinds_of_signal() -> None:
    training = tiny({**EXACT, "steps": 60, "warmup": 0}).training
    faster = replace(training.discriminator, learning_rate=1e-2)
    training = replace(training, discriminator=faster)
    adversary = Adversary(training, 1, CPU)
    torch.manual_seed(0)
    for step in range(30):
        real = 0.1 * torch.randn(4, 3200)
        terms = adversary.terms(real.cumsum(1) / 10, real, step)
        terms["discriminator"].backward(inputs=list(adversary.network.parameters()))
        adversary.optimisation.clip_gradients()
        adversary.optimisation.step()
        adversary.optimisation.clear()
    real = 0.1 * torch.randn(4, 3200)
    terms = adversary.terms(real.cumsum(1) / 10, real, 0)
    assert terms["discriminator"] < 1.5  # 2 where it knows nothing
    assert terms["adversarial"] > 0


def test_the_history_has_the_stages_terms(corpus: Path, tmp_path: Path) -> None:
    loop.train(tiny({**ADVERSARIAL, "steps": 40}), 1, corpus, tmp_path / "a", tmp_path / "state")
    history = pd.read_csv(tmp_path / "a" / "history.csv")
    rows = history[history["split"] == "train"].set_index("step")
    for name in ("adversarial", "feature_matching", "discriminator"):
        assert rows[name].notna().tolist() == [False, True]
        assert history.loc[history["split"] == "validation", name].isna().all()
    assert history["perceptual"].isna().all()
    loss = tiny(ADVERSARIAL).training.loss
    names = ("log_magnitude", "mel", "complex", "waveform")
    expected = sum(getattr(loss, name) * rows[name] for name in names)
    np.testing.assert_allclose(rows["loss"], expected, rtol=1e-5)


def test_until_it_plays_the_discriminator_changes_nothing(corpus: Path, tmp_path: Path) -> None:
    made = []
    for variant in (tiny(), tiny(ADVERSARIAL)):
        torch.manual_seed(1)
        made.append(Trainer(variant, 1, corpus, CPU))
    plain, with_it = made
    for step in range(6):
        for trainer in (plain, with_it):
            trainer.step()
        pairs = zip(plain.codec.parameters(), with_it.codec.parameters(), strict=True)
        same = all(torch.equal(one, other) for one, other in pairs)
        assert same == (step < 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"discriminator": {"share": 0.1}}, "play for nothing"),
        (
            {"loss": {"adversarial": 1.0}, "discriminator": {"share": 1.0, "segment": 0.1}},
            r"fft_sizes: 2296 samples are longer than what the discriminator sees \(1600\)",
        ),
        ({"accumulate": 3}, "cannot be cut into 3 equal parts"),
    ],
)
def test_what_cannot_be_is_told_before_a_training(changes: dict, message: str) -> None:
    with pytest.raises(TaaeError, match=message):
        tiny(changes)
