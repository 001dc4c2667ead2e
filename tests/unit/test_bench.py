"""The benchmarks: each ends in one JSON line with its figures, whatever these are."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from taae.bench import attention, codec, stream
from taae.bench.timing import medians
from taae.codec import TAAE
from taae.study import Attention


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
    monkeypatch.setattr(attention, "LENGTHS", (64, 256))
    found = attention.attention(seconds=0)
    assert last_line(capsys) == found
    assert found["tokens"] == 256
    assert found["forward_speedup"] > 0
    assert found["scaling_256_over_64"] > 0


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
    found = codec.codec(quick=True, seconds=0)
    assert last_line(capsys) == found
    assert found["speedup_0.4s"] > 0
    assert found["rtf_0.6s_over_0.2s"] > 0
    assert 0 <= found["bfloat16_codes_changed"] <= 1


@pytest.mark.usefixtures("small")
def test_unlimited_is_another_codec_with_the_same_weights() -> None:
    ours = codec.untrained(Attention(4, False))
    full = codec.unlimited(ours)
    wave = torch.randn(1, 2000)
    assert isinstance(full, TAAE)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), full.parameters(), strict=True))
    with torch.no_grad():
        assert not torch.allclose(ours.encoder(wave[:, :1984]), full.encoder(wave[:, :1984]))


@pytest.mark.usefixtures("small")
def test_stream(capsys: pytest.CaptureFixture[str]) -> None:
    found = stream.stream(quick=True)
    assert last_line(capsys) == found
    assert found["frames"] == 50
    assert found["frame_ms_median"] > 0
