"""Trainings of a few steps, of a tiny codec on noise."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from taae.study.load import resolve
from taae.study.overlay import merge, read_yaml
from taae.training import trainer
from taae.training.config import Variant

ROOT = Path(__file__).parents[3]
ADVERSARIAL = {
    "loss": {"adversarial": 0.5, "feature_matching": 2.0},
    "discriminator": {"share": 0.5, "fft_sizes": [78, 126], "width": 4, "segment": 0.2},
}


def tiny(training: dict[str, Any] | None = None, **sections: Any) -> Variant:
    """Return the demo's baseline, small and without its adversarial stage, some keys changed."""
    return resolve(tiny_config(training, **sections)).variants["baseline"]


def tiny_config(training: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    """Return the config of `tiny`."""
    small = {
        "model": {"layers": [1, 1], "width": 16, "head_dim": 8},
        "training": {
            "start": "scratch",
            "steps": 8,
            "batch": 2,
            "segment": 0.64,
            "validate_every": 4,
        },
    }
    demo = read_yaml(ROOT / "config.yaml")
    del demo["training"]["discriminator"]
    del demo["training"]["loss"]["adversarial"], demo["training"]["loss"]["feature_matching"]
    config = merge(demo, small)
    config = merge(config, {"training": training or {}, **sections})
    config["ablations"], config["variants"], config["codecs"] = {}, {}, {}
    config["bitrates"], config["lengths"] = {}, {}
    return config


class FakeSplit(SimpleNamespace):
    """A split of 2.5 s of noise."""

    @classmethod
    def open(cls, folder: Path, name: str) -> FakeSplit:
        noise = np.random.default_rng(len(name)).normal(0, 0.1, 40_000).astype(np.float32)
        return cls(noise=noise, samples=noise.size)

    def segment(self, start: int, samples: int) -> np.ndarray:
        return self.noise[start : start + samples]


def noise_corpus(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let trainings on the returned folder see `FakeSplit`."""
    monkeypatch.setattr(trainer, "Split", FakeSplit)
    folder.mkdir()
    (folder / "corpus.json").write_text(json.dumps({"sha256": "0" * 64}))
    return folder


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()
