"""A corpus in shards: the same models, and what has not changed is not prepared again."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taae.corpus.store import identity_of
from tests.workflow.conftest import SMOKE, Clone

pytestmark = pytest.mark.slow
CORPUS = "results/corpus/corpus.json"
MODEL = "results/models/baseline/seed1/model.safetensors"
ENTROPY = "results/models/baseline/seed1/entropy-models"


def in_shards(folder: Path, hours: float) -> Clone:
    copy = Clone(folder)
    copy.edit(SMOKE, "corpus:\n", f"corpus:\n  shard_hours: {hours}\n")
    return copy


def test_models_are_the_same(clone: Clone, tmp_path: Path) -> None:
    copy = in_shards(tmp_path / "shards", 0.005)
    assert copy.jobs(MODEL) == Counter(shards=1, corpus=1, trunk=1, train=1)
    copy.snakemake(ENTROPY, "results/reference/audio")
    one, other = clone.folder / "results", copy.folder / "results"
    assert len(json.loads((other / "corpus/corpus.json").read_bytes())["shards"]) > 1
    assert not (other / "corpus/train.npy").exists()
    assert identity_of(one / "corpus") == identity_of(other / "corpus")
    assert (one / "corpus/train.csv").read_bytes() == (other / "corpus/train.csv").read_bytes()
    assert (clone.folder / MODEL).read_bytes() == (copy.folder / MODEL).read_bytes()
    order = f"{ENTROPY}/native/order1.npz"
    assert (clone.folder / order).read_bytes() == (copy.folder / order).read_bytes()
    for path in (one / "reference/audio").iterdir():
        assert path.read_bytes() == (other / "reference/audio" / path.name).read_bytes()
    assert copy.jobs(ENTROPY) == Counter()


def test_added_files_prepare_their_shards_alone(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    for speaker in range(8):
        for number in range(10):
            add(audio, speaker, number)
    copy = Clone(tmp_path / "copy")
    few = f"{{path: {audio}, validation_speakers: 1, test_speakers: 1}}"
    section = f"corpus:\n  kind: folder\n  shard_hours: {10 / 3600}\n  folder: {few}\n"
    copy.edit(SMOKE, "corpus:\n", section)
    copy.snakemake(CORPUS)
    shards = copy.folder / "results/corpus/shards"
    before = {path.name: path.stat().st_mtime_ns for path in shards.iterdir()}
    assert len(before) > 5
    add(audio, 3, 99)
    assert copy.jobs(CORPUS) == Counter()
    copy.snakemake("--forcerun=shards", CORPUS)
    after = {path.name: path.stat().st_mtime_ns for path in shards.iterdir()}
    assert before.items() < after.items()
    assert 1 <= len(after) - len(before) <= 3
    named = json.loads((copy.folder / CORPUS).read_bytes())["shards"]
    table = (copy.folder / "results/corpus/train.csv").read_text()
    assert {each["name"] for each in named} < set(after)
    assert "s3/99.wav" in table
    assert copy.jobs(CORPUS) == Counter()


def add(folder: Path, speaker: int, number: int) -> None:
    path = folder / f"s{speaker}" / f"{number:02d}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng([speaker, number]).normal(0, 0.1, 16_000)
    soundfile.write(path, noise, 16_000)
