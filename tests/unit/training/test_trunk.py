"""A trunk: it never rounds, sees every window, and is loaded strictly; arms that begin with it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from taae.codec import fsq
from taae.codec.codec import load_codec
from taae.codec.taae import SelfAttention
from taae.study.load import load_study
from taae.training import train as loop
from taae.training.config import Variant
from taae.training.kept import is_whole, keep
from taae.training.trunk import load_trunk
from taae.utils.errors import TaaeError
from tests.unit.training.trainings import ROOT, noise_corpus, tiny, weights

WINDOWS = [8, 16, 32]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return noise_corpus(tmp_path / "corpus", monkeypatch)


def a_trunk() -> Variant:
    variant = tiny()
    return replace(
        variant,
        attention=replace(variant.attention, random_windows=WINDOWS),
        bottleneck=replace(variant.bottleneck, training="continuous"),
    )


def an_arm() -> Variant:
    return replace(tiny(), training=replace(tiny().training, start="trunk"))


@pytest.fixture
def trunk(corpus: Path, tmp_path: Path) -> Path:
    loop.train(a_trunk(), 1, corpus, tmp_path / "trunk", tmp_path / "trunk-state")
    return tmp_path / "trunk"


@pytest.fixture
def train(corpus: Path, tmp_path: Path) -> Callable[..., Path]:
    def run(name: str, variant: Variant, trunk: Path | None) -> Path:
        loop.train(variant, 1, corpus, tmp_path / name, tmp_path / "state", trunk=trunk)
        return tmp_path / name

    return run


def test_its_training_never_rounds_and_sees_every_window(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the decoder is given is never on the grid; rounding, poisoned, does not reach it."""
    monkeypatch.setattr(fsq, "level", lambda number, *_: number * torch.nan)
    trainer = loop.Trainer(a_trunk(), 1, corpus, torch.device("cpu"))
    attention = next(m for m in trainer.codec.modules() if isinstance(m, SelfAttention))
    seen = []
    for _ in range(12):
        trainer.step()
        seen.append(attention.left + 1 + attention.right)
    assert set(seen) == set(WINDOWS)
    assert trainer.progress.skipped == 0
    again = loop.Trainer(a_trunk(), 1, corpus, torch.device("cpu"))
    again.progress.step = 11  # the window depends on (seed, step) alone
    again.step()
    layer = next(m for m in again.codec.modules() if isinstance(m, SelfAttention))
    assert layer.left + 1 + layer.right == seen[11]
    arm = loop.Trainer(an_arm(), 1, corpus, torch.device("cpu"))
    for _ in range(6):  # 6 steps without straight-through rounding in any segment are unlikely
        arm.step()
    assert arm.progress.skipped > 0


def test_an_arm_begins_with_its_weights(
    corpus: Path, trunk: Path, train: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []
    step = loop.Trainer.step

    def noting(trainer: loop.Trainer) -> None:
        if not begun:
            copies = (trainer.codec, trainer.average.module)
            begun.extend({k: v.clone() for k, v in c.state_dict().items()} for c in copies)
        step(trainer)

    monkeypatch.setattr(loop.Trainer, "step", noting)
    arm = train("arm", an_arm(), trunk)
    expected = load_file(trunk / "model.safetensors")
    assert len(begun) == 2
    for found in begun:
        assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert weights(arm) != weights(trunk)
    codec = load_codec(arm)
    assert codec.config.attention.random_windows == []  # the arm's own settings
    starts = [json.loads((run / "provenance.json").read_text())["start"] for run in (arm, trunk)]
    assert starts == [hashlib.sha256(weights(trunk)).hexdigest(), "scratch"]


def test_another_trunk_is_another_training(
    trunk: Path, train: Callable[..., Path], tmp_path: Path, corpus: Path
) -> None:
    first = train("first", an_arm(), trunk)
    assert weights(train("again", an_arm(), trunk)) == weights(first)
    loop.train(a_trunk(), 2, corpus, tmp_path / "other", tmp_path / "other-state")
    second = train("second", an_arm(), tmp_path / "other")
    assert weights(second) != weights(first)
    keys = [
        json.loads((run / "provenance.json").read_text())["training"] for run in (first, second)
    ]
    assert keys[0] != keys[1]


def test_stopped_and_resumed_with_a_trunk_ends_with_the_same_bytes(
    trunk: Path, train: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train("whole", an_arm(), trunk)
    step = loop.Trainer.step

    def stopping(trainer: loop.Trainer) -> None:
        if trainer.progress.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        step(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "step", stopping)
        with pytest.raises(loop.Interrupted, match="step 4"):
            train("parts", an_arm(), trunk)
    assert weights(train("parts", an_arm(), trunk)) == weights(whole)


def test_a_trunk_that_does_not_fit_is_refused(trunk: Path, train: Callable[..., Path]) -> None:
    with pytest.raises(TaaeError, match="no trunk is given"):
        train("arm", an_arm(), None)
    with pytest.raises(TaaeError, match="no such file"):
        train("arm", an_arm(), trunk / "elsewhere")
    arm = an_arm()
    other = replace(arm, attention=replace(arm.attention, causal=True))
    with pytest.raises(TaaeError, match=r"attention\.causal differs"):
        train("arm", other, trunk)
    content = load_file(trunk / "model.safetensors")
    name = sorted(content)[0]
    save_file({k: v for k, v in content.items() if k != name}, trunk / "model.safetensors")
    with pytest.raises(TaaeError, match="not the weights of this codec"):
        load_trunk(trunk, arm.codec)


def test_a_damaged_trunk_with_checksums_is_refused(
    trunk: Path, tmp_path: Path, train: Callable[..., Path]
) -> None:
    keep(trunk, tmp_path / "kept")
    (shipped,) = (tmp_path / "kept").iterdir()
    load_trunk(shipped, an_arm().codec)
    damaged = (shipped / "model.safetensors").read_bytes()[:-1] + b"?"
    (shipped / "model.safetensors").unlink()
    (shipped / "model.safetensors").write_bytes(damaged)
    with pytest.raises(TaaeError, match="damaged"):
        train("arm", an_arm(), shipped)


def test_the_shipped_trunk_is_whole_and_was_made_as_the_demo_says() -> None:
    study = load_study([ROOT / "config.yaml"])
    assert study.trunk
    shipped = Path(study.trunk.pretrained)
    assert is_whole(shipped)
    load_trunk(shipped, study.variants["baseline"].codec)
    made = json.loads((shipped / "provenance.json").read_text())["variant"]
    expected = asdict(study.trunk)
    later = {"start", "replicate", "shares"}  # keys that it was made before
    for section in ("model", "attention", "bottleneck", "training"):
        now = {key: value for key, value in expected[section].items() if key not in later}
        assert {key: value for key, value in made[section].items() if key not in later} == now


def test_a_replicate_draws_all_anew(corpus: Path, train: Callable[..., Path]) -> None:
    alone = [train(f"r{n}", tiny({"replicate": n}), None) for n in (0, 1, 2)]
    assert len({weights(run) for run in alone}) == 3
    assert loop.replicate_seed(7, 0) == 7
    assert len({loop.replicate_seed(seed, n) for seed in range(20) for n in range(5)}) == 100
