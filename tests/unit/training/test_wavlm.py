"""The perceptual stage, on a tiny WavLM of the test's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from taae.training import train as loop
from taae.training.config import Perceptual
from taae.training.losses import WavLMLoss
from taae.utils.errors import TaaeError
from tests.unit.training.trainings import noise_corpus, tiny

LAYERS = 2


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return noise_corpus(tmp_path / "corpus", monkeypatch)


@pytest.fixture(params=["layer", "group"])
def wavlm(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return save_wavlm(tmp_path / "wavlm", request.param)


def save_wavlm(folder: Path, norm: str = "layer") -> Path:
    transformers = pytest.importorskip("transformers")
    config = transformers.WavLMConfig(
        hidden_size=16,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8, 8),
        conv_stride=(5, 4),
        conv_kernel=(10, 8),
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
    )
    torch.manual_seed(0)
    transformers.WavLMModel(config).save_pretrained(folder)
    return folder


def test_the_term_is_the_relative_l1_of_hidden_states(wavlm: Path) -> None:
    transformers = pytest.importorskip("transformers")
    target, decoded = 0.1 * torch.randn(2, 3, 1600)
    reference = transformers.WavLMModel.from_pretrained(wavlm).eval()
    prepared = [target, decoded]
    if reference.config.feat_extract_norm == "layer":
        prepared = [
            (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, correction=0) for x in prepared
        ]
    with torch.no_grad():
        true, found = (reference(x, output_hidden_states=True).hidden_states for x in prepared)
    expected = [
        ((y - x).abs().mean((1, 2)) / x.abs().mean((1, 2))).mean()
        for x, y in zip(true, found, strict=True)
    ]
    whole = WavLMLoss(Perceptual(1.0, str(wavlm), []))(decoded, target)
    torch.testing.assert_close(whole, torch.stack(expected).mean(), rtol=1e-4, atol=1e-6)
    last = WavLMLoss(Perceptual(1.0, str(wavlm), [LAYERS]))(decoded, target)
    torch.testing.assert_close(last, expected[LAYERS], rtol=1e-4, atol=1e-6)
    assert WavLMLoss(Perceptual(1.0, str(wavlm), []))(target, target).item() == 0


def test_gradients_pass_through_wavlm_and_stay_out_of_it(wavlm: Path) -> None:
    loss = WavLMLoss(Perceptual(1.0, str(wavlm), []))
    decoded = (0.1 * torch.randn(2, 1600)).requires_grad_()
    loss(decoded, 0.1 * torch.randn(2, 1600)).backward()
    assert decoded.grad is not None
    assert decoded.grad.isfinite().all()
    assert decoded.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in loss.parameters())
    assert not any(module.training for module in loss.modules() if module is not loss)


def stage(weights: Path | str, **more: object) -> dict[str, object]:
    return {
        "loss": {"perceptual": 1.0},
        "perceptual": {"share": 0.5, "weights": str(weights), **more},
        "steps": 40,
    }


def test_a_training_with_the_stage(corpus: Path, tmp_path: Path) -> None:
    weights = save_wavlm(tmp_path / "wavlm")
    loop.train(tiny(stage(weights)), 1, corpus, tmp_path / "model", tmp_path / "state")
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    rows = history[history["split"] == "train"]
    assert rows["perceptual"].notna().tolist() == [False, True]


def test_what_is_missing_is_told_before_the_first_step(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def must_not_run(trainer: loop.Trainer) -> None:
        raise AssertionError("a step was taken")

    monkeypatch.setattr(loop.Trainer, "step", must_not_run)

    def train(changes: dict) -> None:
        loop.train(tiny(changes), 1, corpus, tmp_path / "model", tmp_path / "state")

    with pytest.raises(TaaeError, match=r"perceptual: no folder .*nowhere"):
        train(stage(tmp_path / "nowhere"))
    weights = save_wavlm(tmp_path / "wavlm")
    with pytest.raises(TaaeError, match=r"layers: 3; .* has hidden states 0 to 2"):
        train(stage(weights, layers=[1, 3]))
    (weights / "model.safetensors").rename(weights / "model.bin")
    with pytest.raises(TaaeError, match="perceptual: no weights"):
        train(stage(weights))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "transformers", None)
        with pytest.raises(TaaeError, match=r"no package transformers; .*taae\[codecs\]"):
            train(stage(weights))


@pytest.mark.parametrize(
    "changes",
    [
        {"perceptual": {"share": 0.1, "weights": "microsoft/wavlm-large"}},
        {"loss": {"perceptual": 1.0}, "perceptual": {"share": 0.1}},
    ],
)
def test_a_stage_that_cannot_be_is_no_config(changes: dict) -> None:
    with pytest.raises(TaaeError, match=r"needs training\.loss\.perceptual .* with WavLM"):
        tiny(changes)


def test_other_weights_in_the_same_folder_make_another_training(wavlm: Path) -> None:
    settings = {"loss": {"perceptual": 1.0}, "perceptual": {"share": 0.5, "weights": str(wavlm)}}
    before = loop._key(tiny(settings), 1, "corpus", "float32", "")
    assert loop._key(tiny(settings), 1, "corpus", "float32", "") == before
    with (wavlm / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))
    assert loop._key(tiny(settings), 1, "corpus", "float32", "") != before
