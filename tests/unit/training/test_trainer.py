"""Training: the objective's terms, the schedule, and that stopping changes nothing."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from librosa.filters import mel
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann
from torch import Tensor

from taae.codec.codec import load_codec
from taae.training import segments
from taae.training import train as loop
from taae.training.config import Loss, Variant
from taae.training.losses import FLOOR, QUIET, ReconstructionLoss, Spectrum, weighted_sum
from taae.training.losses import weights as weights_of
from taae.training.optimizer import schedule
from taae.utils.errors import TaaeError
from taae.utils.fingerprint import digest
from tests.unit.training.trainings import ADVERSARIAL, FakeSplit, noise_corpus, tiny, weights


@pytest.fixture
def variant() -> Variant:
    return tiny()


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return noise_corpus(tmp_path / "corpus", monkeypatch)


def an_objective(**changes: Any) -> Loss:
    return replace(tiny().training.loss, **changes)


def test_terms_of_the_objective_against_scipy() -> None:
    rng = np.random.default_rng(0)
    t, s = rng.normal(0, 0.3, (2, 2, 4096))
    length, hop = 256, 128
    t[1] *= QUIET / 10  # a segment that counts as louder than it is
    loss = an_objective(windows=[length], overlap=0.5)
    found = ReconstructionLoss(loss)(torch.tensor(s), torch.tensor(t))

    window = hann(length, sym=False)
    window /= np.linalg.norm(window)
    transform = ShortTimeFFT(window, hop, 1.0, phase_shift=None)
    first, last = length // 2 // hop, (4096 - length // 2) // hop + 1  # whole windows only
    S, T = (transform.stft(x, p0=first, p1=last) for x in (s, t))
    assert S.shape[-1] == (4096 - length) // hop + 1
    magnitude = [0.5 * np.log(np.abs(x) ** 2 + FLOOR**2) for x in (S, T)]
    log_magnitude = np.abs(magnitude[0] - magnitude[1]).mean()
    bank = mel(sr=16_000, n_fft=length, n_mels=40)
    bank /= np.linalg.norm(bank, axis=1, keepdims=True)
    bands = [bank @ np.sqrt(np.abs(x) ** 2 + FLOOR**2) for x in (S, T)]
    in_bands = [0.5 * np.log(x**2 + FLOOR**2) for x in bands]
    in_mel_bands = np.abs(in_bands[0] - in_bands[1]).mean()
    rms = [np.sqrt((np.abs(x) ** 2).mean((1, 2))) for x in (S - T, T)]
    complex_ = np.mean(rms[0] / np.maximum(rms[1], QUIET))
    size = [np.abs(x).mean(1) for x in (s - t, t)]
    waveform = np.mean(size[0] / np.maximum(size[1], QUIET))
    # The window is float32, hence the tolerance.
    assert found["log_magnitude"].item() == pytest.approx(log_magnitude, rel=1e-5)
    assert found["mel"].item() == pytest.approx(in_mel_bands, rel=1e-5)
    assert found["complex"].item() == pytest.approx(complex_, rel=1e-5)
    assert found["waveform"].item() == pytest.approx(waveform, rel=1e-6)


def test_the_objective_of_identical_and_of_silent_signals_is_finite() -> None:
    objective = ReconstructionLoss(an_objective(windows=[128]))
    wave = torch.randn(1, 1024)
    assert sum(objective(wave, wave).values()).item() == 0
    for start in (torch.zeros(1, 1024), torch.full((1, 1024), 1e-6)):
        decoded = start.requires_grad_()
        sum(objective(decoded, torch.zeros(1, 1024)).values()).backward()
        assert decoded.grad is not None
        assert decoded.grad.isfinite().all()


def test_every_mel_band_of_every_window_holds_a_bin() -> None:
    for length in range(16, 4097, 20):
        assert (Spectrum(length, length // 2).bank.norm(dim=0) > 0.99).all()


def test_every_term_is_a_mean_over_segments() -> None:
    objective = ReconstructionLoss(an_objective(windows=[256, 64]))
    decoded, target = torch.randn(2, 4, 2048)
    target[2] *= 1e-3
    whole = objective(decoded, target)
    parts = [objective(decoded[i : i + 1], target[i : i + 1]) for i in range(4)]
    for name, term in whole.items():
        mean = torch.stack([part[name] for part in parts]).mean()
        torch.testing.assert_close(term, mean)


def test_weights_and_the_decay_of_the_waveform_term() -> None:
    loss = an_objective(complex=2.0, waveform=4.0, waveform_half_life=10.0, perceptual=7.0)
    assert [weights_of(loss, step)["waveform"] for step in (0, 10, 20)] == [4, 2, 1]
    assert weights_of(loss, 20)["complex"] == 2
    assert weights_of(replace(loss, waveform_half_life=0.0), 20)["waveform"] == 4
    terms = {"waveform": torch.tensor(3.0), "complex": torch.tensor(5.0)}
    terms["discriminator"] = torch.tensor(100.0)  # no term of the codec's
    assert weighted_sum(terms, weights_of(loss, 10)).item() == 2 * 3 + 2 * 5


def test_schedule_rises_stays_and_falls_to_zero(variant: Variant) -> None:
    training = replace(variant.training, steps=100, warmup=10, decay=0.4)
    factor = schedule(training)
    assert factor(0) == pytest.approx(0.1)
    assert factor(9) == factor(10) == factor(60) == 1
    assert factor(80) == pytest.approx(0.5)
    assert factor(100) == 0


def test_a_cut_is_a_function_of_seed_and_step() -> None:
    cuts = {segments.cut(100, 30, 1, step).start for step in range(200)}
    assert min(cuts) >= 0
    assert max(cuts) <= 70
    assert len(cuts) > 50
    assert segments.cut(100, 30, 1, 7) == segments.cut(100, 30, 1, 7)
    assert segments.cut(100, 100, 1, 7) == slice(0, 100)


def test_data_is_a_function_of_seed_and_step() -> None:
    split = FakeSplit.open(Path(), "train")
    one = segments.batch(split, 1000, 4, 1, 7)  # type: ignore[arg-type]
    assert one.shape == (4, 1000)
    assert torch.equal(one, segments.batch(split, 1000, 4, 1, 7))  # type: ignore[arg-type]
    for seed, step in ((1, 8), (2, 7)):
        assert not torch.equal(one, segments.batch(split, 1000, 4, seed, step))  # type: ignore[arg-type]
    with pytest.raises(TaaeError, match="longer than the whole"):
        segments.batch(split, 50_000, 1, 1, 1)  # type: ignore[arg-type]


def test_training_is_deterministic_and_the_seed_matters(
    variant: Variant, corpus: Path, tmp_path: Path
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        loop.train(variant, seed, corpus, tmp_path / name, tmp_path / "state")
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert weights(tmp_path / "a") != weights(tmp_path / "c")
    load_codec(tmp_path / "a")
    history = pd.read_csv(tmp_path / "a" / "history.csv")
    assert history[history["split"] == "validation"]["step"].tolist() == [4, 8]
    assert history["loss"].notna().all()
    provenance = json.loads((tmp_path / "a" / "provenance.json").read_text())
    assert provenance["variant"]["attention"]["window"] == variant.attention.window
    assert provenance["config_sha256"] == digest(variant)
    assert (provenance["gpus"], provenance["gpu_hours"], provenance["resumptions"]) == (0, 0, 0)
    assert provenance["seconds"] >= 0
    assert provenance["cpu_seconds"] > 0
    assert not list((tmp_path / "state").rglob("*.pt"))


@pytest.mark.parametrize(
    ("changes", "stop"),
    [({}, 3), (ADVERSARIAL, 3), (ADVERSARIAL, 5)],
    ids=["alone", "before the discriminator plays", "while it plays"],
)
def test_stopped_and_resumed_ends_with_the_same_bytes(
    changes: dict[str, Any],
    stop: int,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variant = tiny(changes)
    loop.train(variant, 1, corpus, tmp_path / "whole", tmp_path / "state")

    step = loop.Trainer.step

    def stopping(trainer: loop.Trainer) -> None:
        if trainer.progress.step == stop:
            os.kill(os.getpid(), signal.SIGTERM)
        step(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "step", stopping)
        with pytest.raises(loop.Interrupted, match=f"step {stop + 1}"):
            loop.train(variant, 1, corpus, tmp_path / "parts", tmp_path / "state")
    assert not (tmp_path / "parts").exists()
    loop.train(variant, 1, corpus, tmp_path / "parts", tmp_path / "state")
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
    assert json.loads((tmp_path / "parts" / "provenance.json").read_text())["resumptions"] == 1
    whole, parts = (pd.read_csv(tmp_path / name / "history.csv") for name in ("whole", "parts"))
    pd.testing.assert_frame_equal(
        whole.drop(columns="seconds"), parts.drop(columns="seconds"), check_exact=True
    )


def test_the_state_of_another_variant_is_not_taken_up(
    variant: Variant, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = loop.Trainer.step

    def stop(trainer: loop.Trainer) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        step(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "step", stop)
        with pytest.raises(loop.Interrupted):
            loop.train(variant, 1, corpus, tmp_path / "a", tmp_path / "state")
    other = replace(variant, training=replace(variant.training, steps=5))
    loop.train(other, 1, corpus, tmp_path / "b", tmp_path / "state")
    assert pd.read_csv(tmp_path / "b" / "history.csv")["step"].max() == 5
    assert not list((tmp_path / "state").rglob("*.pt"))  # the first one's is of no use any more


def test_a_state_belongs_to_all_that_determines_a_training(
    variant: Variant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = replace(variant, training=replace(variant.training, clip=2.0))
    keys = [
        loop._key(variant, 1, "corpus", "float32", ""),
        loop._key(other, 1, "corpus", "float32", ""),
        loop._key(variant, 2, "corpus", "float32", ""),
        loop._key(variant, 1, "another", "float32", ""),
        loop._key(variant, 1, "corpus", "float32", "hash of a trunk"),
    ]
    assert loop._key(variant, 1, "corpus", "float32", "") == keys[0]
    with monkeypatch.context() as patch:
        patch.setattr(loop, "libraries", lambda: {"torch": "0"})
        keys.append(loop._key(variant, 1, "corpus", "float32", ""))
    (tmp_path / "edited.py").write_text("1")
    monkeypatch.setattr(loop, "sources", lambda module: [tmp_path / "edited.py"])
    keys.append(loop._key(variant, 1, "corpus", "float32", ""))
    assert len(set(keys)) == len(keys) == 7


def test_what_else_is_in_the_state_folder_is_left_alone(
    variant: Variant, corpus: Path, tmp_path: Path
) -> None:
    """A person may give any folder."""
    below = ("0123456789abcdef/notes.txt", "other/step-1-x.pt", "other/empty/x")
    for name in ("notes.txt", "step-1-x.pt", *below):
        (tmp_path / "state" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "state" / name).touch()
    before = set((tmp_path / "state").rglob("*"))
    loop.train(variant, 1, corpus, tmp_path / "a", tmp_path / "state", checkpoint_every=0)
    after = {path for path in (tmp_path / "state").rglob("*") if "tensorboard" not in path.parts}
    assert after == before


def test_a_state_is_taken_to_the_device_of_the_process(variant: Variant, corpus: Path) -> None:
    """Each of several processes has another GPU than the one that saved."""
    first = loop.Trainer(variant, 1, corpus, torch.device("cpu"))
    first.step()
    other = loop.Trainer(variant, 1, corpus, torch.device("cpu"))
    other.device = torch.device("meta")
    other.restore(first.state())
    (losses,) = other.progress.losses
    assert {term.device.type for term in losses.values()} == {"meta"}


def test_segments_are_fetched_ahead_once_and_an_error_at_its_own_step() -> None:
    asked: list[int] = []

    def fetch(step: int) -> Tensor:
        asked.append(step)
        if step == 6:
            raise TaaeError("the disk is gone")
        return torch.tensor(step)

    ahead = segments.Prefetcher(fetch)
    assert [int(ahead(step)) for step in (0, 1, 4, 5)] == [0, 1, 4, 5]  # 4: a training resumed
    with pytest.raises(TaaeError, match="gone"):
        ahead(6)
    assert {0, 1, 4, 5, 6} <= set(asked) <= {*range(6 + segments.AHEAD + 1)}
    assert len(asked) == len(set(asked))
