"""Training: the objective's terms, the schedule, and that stopping changes nothing."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from taae.codec import TAAE
from taae.errors import TaaeError
from taae.schema import merge, read_yaml
from taae.study import Loss, Study, Variant
from taae.training import loop, segments
from taae.training.objective import FLOOR, Reconstruction
from taae.training.optimisation import schedule

ROOT = Path(__file__).parents[2]


@pytest.fixture
def variant() -> Variant:
    config = read_yaml(ROOT / "config.yaml")
    tiny = {
        "model": {"layers": [1, 1], "width": 16, "head_dim": 8},
        "training": {"steps": 8, "batch": 2, "segment": 0.64, "validate_every": 4},
    }
    config = merge(config, tiny)
    config["ablations"], config["variants"], config["codecs"] = {}, {}, {}
    config["bitrates"], config["lengths"] = {}, {}
    return Study.resolve(config).variants["baseline"]


class FakeSplit(SimpleNamespace):
    @classmethod
    def open(cls, folder: Path, name: str) -> FakeSplit:
        noise = np.random.default_rng(len(name)).normal(0, 0.1, 40_000).astype(np.float32)
        return cls(samples=noise)

    def segment(self, start: int, samples: int) -> np.ndarray:
        return self.samples[start : start + samples]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(loop, "Split", FakeSplit)
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "corpus.json").write_text(json.dumps({"sha256": "0" * 64}))
    return folder


def test_terms_of_the_objective_against_scipy() -> None:
    rng = np.random.default_rng(0)
    t, s = rng.normal(0, 0.3, (2, 2, 4096))
    length, hop = 256, 128
    loss = Loss(log_magnitude=2.0, complex=3.0, waveform=5.0, windows=[length], overlap=0.5)
    found = Reconstruction(loss)(torch.tensor(s), torch.tensor(t))

    window = hann(length, sym=False)
    window /= np.linalg.norm(window)
    transform = ShortTimeFFT(window, hop, 1.0, phase_shift=None)
    first, last = length // 2 // hop, (4096 - length // 2) // hop + 1  # whole windows only
    S, T = (transform.stft(x, p0=first, p1=last) for x in (s, t))
    assert S.shape[-1] == (4096 - length) // hop + 1
    magnitude = [0.5 * np.log(np.abs(x) ** 2 + FLOOR**2) for x in (S, T)]
    log_magnitude = np.abs(magnitude[0] - magnitude[1]).mean()
    # The real signals' spectra: scipy gives the same one-sided bins.
    complex_ = np.sqrt((np.abs(S - T) ** 2).sum() / (np.abs(T) ** 2).sum())
    waveform = np.abs(s - t).sum() / np.abs(t).sum()
    # The window is float32, hence the tolerance.
    assert found["log_magnitude"].item() == pytest.approx(log_magnitude, rel=1e-5)
    assert found["complex"].item() == pytest.approx(complex_, rel=1e-5)
    assert found["waveform"].item() == pytest.approx(waveform, rel=1e-6)
    assert found["loss"].item() == pytest.approx(
        2 * log_magnitude + 3 * complex_ + 5 * waveform, rel=1e-5
    )


def test_the_objective_of_identical_and_of_silent_signals_is_finite() -> None:
    objective = Reconstruction(Loss(1.0, 1.0, 1.0, [128], 0.5))
    wave = torch.randn(1, 1024)
    assert objective(wave, wave)["loss"].item() == 0
    silent = torch.zeros(1, 1024, requires_grad=True)
    objective(silent, torch.zeros(1, 1024))["loss"].backward()
    assert silent.grad is not None
    assert silent.grad.isfinite().all()


def test_schedule_rises_stays_and_falls_to_zero(variant: Variant) -> None:
    training = replace(variant.training, steps=100, warmup=10, decay=0.4)
    factor = schedule(training)
    assert factor(0) == pytest.approx(0.1)
    assert factor(9) == factor(10) == factor(60) == 1
    assert factor(80) == pytest.approx(0.5)
    assert factor(100) == 0


def test_data_is_a_function_of_seed_and_step() -> None:
    split = FakeSplit.open(Path(), "train")
    one = segments.batch(split, 1000, 4, 1, 7)  # type: ignore[arg-type]
    assert one.shape == (4, 1000)
    assert torch.equal(one, segments.batch(split, 1000, 4, 1, 7))  # type: ignore[arg-type]
    for seed, step in ((1, 8), (2, 7)):
        assert not torch.equal(one, segments.batch(split, 1000, 4, seed, step))  # type: ignore[arg-type]
    with pytest.raises(TaaeError, match="longer than the whole"):
        segments.batch(split, 50_000, 1, 1, 1)  # type: ignore[arg-type]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_training_is_deterministic_and_the_seed_matters(
    variant: Variant, corpus: Path, tmp_path: Path
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        loop.train(variant, seed, corpus, tmp_path / name, tmp_path / "state")
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert weights(tmp_path / "a") != weights(tmp_path / "c")
    TAAE.from_pretrained(tmp_path / "a")
    history = pd.read_csv(tmp_path / "a" / "history.csv")
    assert history[history["split"] == "validation"]["step"].tolist() == [4, 8]
    assert history["loss"].notna().all()
    provenance = json.loads((tmp_path / "a" / "provenance.json").read_text())
    assert provenance["variant"]["attention"]["window"] == variant.attention.window
    assert not list((tmp_path / "state").rglob("*.pt"))


def test_stopped_and_resumed_ends_with_the_same_bytes(
    variant: Variant, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop.train(variant, 1, corpus, tmp_path / "whole", tmp_path / "state")

    step = loop.Trainer._step

    def stop_at_3(trainer: loop.Trainer) -> None:
        if trainer.progress.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        step(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "_step", stop_at_3)
        with pytest.raises(loop.Interrupted, match="step 4"):
            loop.train(variant, 1, corpus, tmp_path / "parts", tmp_path / "state")
    assert not (tmp_path / "parts").exists()
    loop.train(variant, 1, corpus, tmp_path / "parts", tmp_path / "state")
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
    whole, parts = (pd.read_csv(tmp_path / name / "history.csv") for name in ("whole", "parts"))
    pd.testing.assert_frame_equal(
        whole.drop(columns="seconds"), parts.drop(columns="seconds"), check_exact=True
    )


def test_the_state_of_another_variant_is_not_taken_up(
    variant: Variant, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(trainer: loop.Trainer) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "_step", stop)
        with pytest.raises(loop.Interrupted):
            loop.train(variant, 1, corpus, tmp_path / "a", tmp_path / "state")
    other = replace(variant, training=replace(variant.training, steps=5))
    loop.train(other, 1, corpus, tmp_path / "b", tmp_path / "state")
    assert pd.read_csv(tmp_path / "b" / "history.csv")["step"].max() == 5
    assert list((tmp_path / "state").rglob("*.pt"))  # the first one's is still there


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is present")
def test_an_absent_gpu_is_a_clear_error(variant: Variant, corpus: Path, tmp_path: Path) -> None:
    asked = replace(variant, training=replace(variant.training, gpus=1))
    with pytest.raises(TaaeError, match="no GPU is visible"):
        loop.train(asked, 1, corpus, tmp_path / "a", tmp_path / "state")
