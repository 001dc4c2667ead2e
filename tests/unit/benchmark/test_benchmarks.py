"""The benchmarks: each ends in one JSON line with its figures, whatever these are."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from taae.benchmark import attention_speed as attention
from taae.benchmark import codec_speed as codec
from taae.benchmark import flops, speech, timing
from taae.benchmark import stream_speed as stream
from taae.benchmark import train_speed as train
from taae.benchmark.timing import medians
from taae.codec.attention import sliding_window_attention
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

    def prepared(name: str):  # type: ignore[no-untyped-def]
        return lambda: lambda: order.append(name)

    found = medians({"a": prepared("a"), "b": prepared("b")}, seconds=0, least=3)
    assert order == ["a", "b"] * 4
    assert set(found) == {"a", "b"}


def test_attention(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(attention, "LENGTHS", (256, 1024))
    found = attention.attention(quick=True, seconds=0, device="cpu")
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1]) == found
    assert found["tokens"] == 1024
    assert found["forward_speedup"] > 0
    assert found["backward_speedup_over_dense_bfloat16"] > 0
    assert found["scaling_1024_over_256"] > 0
    assert found["memory_scaling_1024_over_256"] < 4.6
    assert found["backend"] == {"forward": "blocked", "backward": "blocked"}
    # What is not here, or not wanted, is said and not in the figures.
    assert "flex: no float32 forward pass: --quick" in lines
    assert any(line.startswith("flash-attn: no bfloat16 backward pass: ") for line in lines)
    assert not [key for key in found if "flex" in key or "flash" in key]


def test_flash_attn_gets_its_layout_and_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the package's documented interface, (batch, time, heads, dim), done densely."""

    def kernel(q: Tensor, k: Tensor, v: Tensor, window_size: tuple[int, int]) -> Tensor:
        mask = attention.window_mask(q.shape[1], *window_size)
        return attention.dense(*(x.transpose(1, 2) for x in (q, k, v)), mask).transpose(1, 2)

    monkeypatch.setitem(sys.modules, "flash_attn", SimpleNamespace(flash_attn_func=kernel))
    q, k, v = (torch.randn(1, 3, 20, 8) for _ in range(3))
    torch.testing.assert_close(
        attention.flash(q, k, v, 4, 2), sliding_window_attention(q, k, v, 4, 2)
    )


def test_a_gpu_that_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "installed", list)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(TaaeError, match=r"no GPU is visible.*--device cpu"):
        attention.attention(device="cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert timing.pick_device(None) == "cpu"
    # One that torch sees and nvidia-smi does not is no reason to take the CPU unsaid.
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TaaeError, match="as nvidia-smi says"):
        timing.pick_device(None)


def test_a_gpu_is_held_until_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(devices, "installed", lambda: ["GPU-a", "GPU-b"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    ends: list[Callable[[], None]] = []
    monkeypatch.setattr(timing.atexit, "register", ends.append)
    timing._own_gpu.cache_clear()
    assert timing.pick_device("cpu") == "cpu"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1,0"
    assert [timing.pick_device(name) for name in (None, "cuda")] == ["cuda"] * 2
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-b"
    others = ["GPU-b", "GPU-a"]
    with devices.hold(1, others) as free:
        assert free == others[1:]
    (end,) = ends
    end()
    timing._own_gpu.cache_clear()
    with devices.hold(2, others) as free:
        assert free == others


def test_the_references_are_full_attention_and_a_dense_window() -> None:
    q, k, v = (torch.randn(1, 1, 20, 8) for _ in range(3))
    everything = torch.ones(20, 20, dtype=torch.bool)
    assert torch.allclose(attention.full(q, k, v), attention.dense(q, k, v, everything), atol=1e-6)
    seen = attention.window_mask(20, 3, 1)
    assert seen[10].nonzero().flatten().tolist() == [7, 8, 9, 10, 11]


@pytest.mark.usefixtures("small")
def test_codec(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seconds in (("SHORT", 2), ("MIDDLE", 4), ("LONG", 6)):
        monkeypatch.setattr(codec, name, seconds)
    monkeypatch.setattr(speech, "VOICES", 1)
    found = codec.codec(quick=True, seconds=0, device="cpu")
    assert last_line(capsys) == found
    assert found["speedup_0.4s"] > 0
    assert found["rtf_0.6s_over_0.2s"] > 0
    assert 0 <= found["bfloat16_codes_changed"] <= 1
    assert found["bfloat16_snr_db"] > 10
    assert found["stoi_float32"] == pytest.approx(found["stoi_bfloat16"], abs=0.1)
    assert found["trained"] is False


@pytest.mark.usefixtures("small")
def test_unlimited_is_another_codec_with_the_same_weights() -> None:
    ours = codec.untrained(Attention(4, False))
    full = codec.unlimited(ours)
    wave = torch.randn(1, 2000)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), full.parameters(), strict=True))
    with torch.no_grad():
        assert not torch.allclose(ours.encoder(wave[:, :1984]), full.encoder(wave[:, :1984]))


@pytest.mark.usefixtures("small")
def test_stream(capsys: pytest.CaptureFixture[str]) -> None:
    found = stream.stream(quick=True)
    assert last_line(capsys) == found
    assert found["frames"] == 50
    assert found["frame_ms_median"] > 0


def test_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = noise_corpus(tmp_path / "corpus", monkeypatch)
    monkeypatch.setitem(train.SQUARE, "cpu", 16)
    variant = tiny(ADVERSARIAL)
    found = train.train(variant, steps=2, discriminator=True, corpus=corpus, device="cpu")
    assert last_line(capsys) == found
    assert found["throughput_ratio"] > 0 < found["mfu"]
    assert 0 <= found["loader_share"] < 1
    assert found["discriminator_ms"] > 0
    found = train.train(variant, steps=1, corpus=corpus, device="cpu")
    assert found["discriminator_ms"] == 0
    parts = sum(found[f"{phase}_ms"] for phase in PHASES)
    seconds = 2 * 0.64  # of audio in a step
    assert 0 < parts <= 1.01 * 1000 * seconds / found["audio_s_per_s"]  # they are rounded


def test_training_by_itself_is_of_18_million_parameters_and_the_reference_sees_all() -> None:
    variant = train.variant_with(None)
    assert flops.costs(variant).parameters == 18_477_382
    assert flops.step_seconds(variant) == 4 * 5.12
    other = train.reference(variant)
    left, right = window_sides(other.attention.window, other.attention.causal)
    assert min(left, right) >= variant.segment_samples / variant.model.patch
    assert (other.model, other.training.precision) == (variant.model, "float32")
    changed = train.variant_with(variant, "tiny", batch=2, precision=None)
    assert (changed.model.width, changed.training.batch) == (128, 2)
    assert changed.training.precision == variant.training.precision


@pytest.mark.parametrize("there", [True, False])
def test_training_by_itself_is_compiled_where_there_is_a_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if there:
        (tmp_path / "g++").touch(mode=0o755)
    assert train.variant_with(None).training.compile == there
    assert train.variant_with(None, compile=not there).training.compile != there
    assert not train.variant_with(tiny(), compile=None).training.compile


def test_a_phase_lasts_until_the_next() -> None:
    clock = iter([0.0, 1.0, 4.0, 9.0, 20.0, 21.0])
    timer = StepTimer()
    timer.now = lambda: next(clock)
    for phase in ("generator", "discriminator", "generator", "", "data", ""):
        timer(phase)
    assert timer.seconds == {"data": 1, "generator": 6, "discriminator": 3, "optimiser": 0}
