"""The benchmarks: each ends in one JSON line with its figures, whatever these are."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from taae.benchmark import attention_speed as attention
from taae.benchmark import codec_speed as codec
from taae.benchmark import loader_speed as loader
from taae.benchmark import train_speed as train
from taae.benchmark.shared import hardware, medians
from taae.codec.attention_window import window_sides
from taae.codec.config import Attention
from taae.training.trainer import PHASES, StepTimer
from taae.utils import gpus as devices
from taae.utils.errors import TaaeError
from tests.unit.training.trainings import ADVERSARIAL, noise_corpus, tiny


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    found: dict[str, float] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = replace(codec.MODEL, patch=16, layers=[1, 1], width=16, head_dim=8)
    monkeypatch.setattr(codec, "MODEL", shape)


def test_works_take_turns_and_the_first_is_not_counted() -> None:
    order: list[str] = []

    works = {name: partial(order.append, name) for name in ("a", "b")}
    found = medians(works, seconds=0, least=3)
    assert order == ["a", "b"] * 4
    assert set(found) == {"a", "b"}


def test_attention(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(attention, "LENGTHS", (256, 1024))
    monkeypatch.setattr(attention, "SECONDS", 0)
    monkeypatch.setattr(attention, "precisions", lambda _: ["float32", "bfloat16"])
    attention.attention(quick=True, device="cpu")
    lines = capsys.readouterr().out.splitlines()
    found = json.loads(lines[-1])
    assert found["tokens"] == 1024
    assert found["forward_speedup_over_full_float32"] > 0
    assert found["backward_speedup_over_full_bfloat16"] > 0
    assert found["forward_time_1024_over_256_float32"] > 0
    assert found["forward_memory_1024_over_256_float32"] < 4.6
    assert found["forward_backend_float32"] == found["backward_backend_bfloat16"] == "blocked"
    # What is not here is said and not in the figures.
    assert "flex: not measured, since it cannot train on a CPU" in lines
    assert not [key for key in found if "flex" in key]


def test_a_gpu_that_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "installed", list)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with (
        pytest.raises(TaaeError, match=r"no GPU is visible.*--device cpu"),
        hardware("cuda"),
    ):
        pass
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with hardware(None) as device:
        assert device == "cpu"
    # One that torch sees and nvidia-smi does not is no reason to take the CPU unsaid.
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TaaeError, match="as nvidia-smi says"), hardware(None):
        pass


def test_a_gpu_is_held_until_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(devices, "installed", lambda: ["GPU-a", "GPU-b"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    with hardware("cpu") as device:
        assert device == "cpu"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1,0"
    others = ["GPU-b", "GPU-a"]
    for name in (None, "cuda"):
        with hardware(name) as device, devices.hold(1, others) as free:
            assert device == "cuda"
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-b"
            assert free == others[1:]
    with devices.hold(2, others) as free:
        assert free == others


@pytest.mark.usefixtures("small")
def test_codec(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seconds in (("SHORT", 2), ("MIDDLE", 4), ("LONG", 6)):
        monkeypatch.setattr(codec, name, seconds)
    monkeypatch.setattr(codec, "SECONDS", 0)
    monkeypatch.setattr(codec, "precisions", lambda _: ["float32", "bfloat16"])
    codec.codec(device="cpu")
    found = last_line(capsys)
    assert found["speedup_4s_float32"] > 0
    assert found["rtf_6s_over_2s_bfloat16"] > 0


@pytest.mark.usefixtures("small")
def test_full_attention_is_of_a_codec_with_the_same_weights() -> None:
    ours, full = codec.untrained(Attention(4, False)), codec.untrained(codec.FULL)
    wave = torch.randn(1, 2000)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), full.parameters(), strict=True))
    with torch.no_grad():
        assert not torch.allclose(ours.encoder(wave[:, :1984]), full.encoder(wave[:, :1984]))


@pytest.mark.usefixtures("small")
def test_stream(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(codec, "FRAMES", 50)
    codec.stream()
    found = last_line(capsys)
    assert found["frames"] == 50
    assert found["frame_ms_median"] > 0


def test_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = noise_corpus(tmp_path / "corpus", monkeypatch)
    monkeypatch.setitem(train.SQUARE, "cpu", 16)
    monkeypatch.setattr(train, "speech_corpus", lambda: nullcontext(corpus))
    monkeypatch.setattr(loader, "SAMPLES", 2**16)
    monkeypatch.setattr(loader, "READ", 5)
    monkeypatch.setattr(loader, "STEPS", 5)
    train.compare(train.one_process(tiny(ADVERSARIAL)), "cpu", steps=2)
    found = last_line(capsys)
    assert found["throughput_ratio"] > 0 < found["mfu"]
    assert 0 <= found["loader_share"] < 1
    assert found["discriminator_ms"] > 0
    assert found["loader_cold_segments_per_s"] > 0 < found["loader_slow_segments_per_s"]
    assert 0 <= found["loader_slow_share_at_10x"] < 1
    train.compare(train.one_process(tiny()), "cpu", steps=1)
    found = last_line(capsys)
    assert found["discriminator_ms"] == 0
    parts = sum(found[f"{phase}_ms"] for phase in PHASES)
    seconds = 2 * 0.64  # of audio in a step
    assert 0 < parts <= 1.01 * 1000 * seconds / found["audio_s_per_s"]  # they are rounded


def test_training_by_itself_is_of_18_million_parameters_and_the_reference_sees_all() -> None:
    variant = train.small()
    assert train.profile(variant.codec).parameters == 18_477_382
    assert train.step_seconds(variant) == 4 * 5.12
    other = train.reference(variant)
    left, right = window_sides(other.attention.window, other.attention.causal)
    assert min(left, right) >= variant.segment_samples / variant.model.patch
    assert (other.model, other.training.precision) == (variant.model, "float32")


@pytest.mark.parametrize("there", [True, False])
def test_training_by_itself_is_compiled_where_there_is_a_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if there:
        (tmp_path / "g++").touch(mode=0o755)
    assert train.small().training.compile == there


def test_a_phase_lasts_until_the_next() -> None:
    clock = iter([0.0, 1.0, 4.0, 9.0, 20.0, 21.0])
    timer = StepTimer()
    timer.now = lambda: next(clock)
    for phase in ("generator", "discriminator", "generator", "", "data", ""):
        timer(phase)
    assert timer.seconds == {"data": 1, "generator": 6, "discriminator": 3, "optimiser": 0}
