"""Sliding-window attention against a dense mask in float64."""

from __future__ import annotations

import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from taae.codec import attention
from taae.codec.attention import sliding_window_attention
from taae.utils.errors import TaaeError


def dense(q: Tensor, k: Tensor, v: Tensor, left: int, right: int) -> Tensor:
    """The definition: all scores in float64, those outside the window at -inf."""
    q, k, v = q.double(), k.double(), v.double()
    place = torch.arange(q.shape[2])
    offset = place[None, :] - place[:, None]
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    scores[..., (offset < -left) | (offset > right)] = -torch.inf
    return scores.softmax(-1) @ v


def random_qkv(time: int, dtype: torch.dtype = torch.float64, heads: int = 2) -> list[Tensor]:
    torch.manual_seed(time)
    return [torch.randn(2, heads, time, 8, dtype=dtype).requires_grad_() for _ in range(3)]


windows = st.integers(0, 40) | st.sampled_from([63, 64, 127, 128, 255, 600])
times = st.integers(1, 300) | st.sampled_from([511, 512, 513])


@settings(max_examples=60, deadline=None)
@given(time=times, left=windows, right=windows)
def test_outputs_and_gradients_equal_the_dense_mask(time: int, left: int, right: int) -> None:
    q, k, v = random_qkv(time)
    expected = dense(q, k, v, left, right)
    found = sliding_window_attention(q, k, v, left, right)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn_like(found)
    for one, other in zip(
        torch.autograd.grad(found, (q, k, v), upstream),
        torch.autograd.grad(expected, (q, k, v), upstream),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@settings(max_examples=20, deadline=None)
@given(time=times, left=windows, right=windows)
def test_inference_takes_the_fused_path_to_the_same_result(
    time: int, left: int, right: int
) -> None:
    q, k, v = random_qkv(time, torch.float32)
    with torch.inference_mode():
        found = sliding_window_attention(q, k, v, left, right)
    expected = dense(q, k, v, left, right).float()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("time", [1, 63, 64, 65, 200, 513])
@pytest.mark.parametrize("gradients", [True, False])
def test_bfloat16_stays_near_float64(time: int, gradients: bool) -> None:
    q, k, v = random_qkv(time, torch.bfloat16)
    with torch.set_grad_enabled(gradients):
        found = sliding_window_attention(q, k, v, 31, 32)
    assert found.dtype == torch.bfloat16
    expected = dense(q, k, v, 31, 32)
    torch.testing.assert_close(found.double(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(("left", "right"), [(0, 0), (3, 0), (31, 32), (63, 64), (100, 7)])
def test_no_query_sees_beyond_its_window(left: int, right: int) -> None:
    """Changing one key and value changes the outputs of just the queries that may see it."""
    time, changed = 260, 130
    q, k, v = random_qkv(time)
    before = sliding_window_attention(q, k, v, left, right)
    k2, v2 = k.detach().clone(), v.detach().clone()
    k2[:, :, changed] += 1
    v2[:, :, changed] += 1
    after = sliding_window_attention(q, k2, v2, left, right)
    touched = (before != after).any(-1).any(0).any(0).nonzero().flatten()
    assert touched.tolist() == list(range(changed - right, changed + left + 1))


@pytest.mark.parametrize("time", [1, 63, 130, 300])
@pytest.mark.parametrize("gradients", [True, False])
def test_nothing_beyond_the_ends_is_read(time: int, gradients: bool) -> None:
    """The sequence lies between NaN, which any padding that were read would spread."""
    inputs = []
    for x in random_qkv(time):
        buffer = torch.full((2, 2, time + 256, 8), torch.nan, dtype=torch.float64)
        buffer[:, :, 128:-128] = x.detach()
        inputs.append(buffer.requires_grad_())
    q, k, v = (buffer[:, :, 128:-128] for buffer in inputs)
    with torch.set_grad_enabled(gradients):
        found = sliding_window_attention(q, k, v, 31, 32)
    torch.testing.assert_close(found, dense(q, k, v, 31, 32))
    if gradients:
        for gradient in torch.autograd.grad(found.sum(), inputs):
            assert gradient.isfinite().all()
            assert not gradient[:, :, :128].any()
            assert not gradient[:, :, -128:].any()


def test_a_model_can_train_after_an_evaluation_cached_its_mask() -> None:
    q, k, v = random_qkv(100)
    with torch.inference_mode():
        sliding_window_attention(q, k, v, 5, 6)
    sliding_window_attention(q, k, v, 5, 6).sum().backward()
    assert q.grad is not None


def test_an_empty_sequence_gives_an_empty_result() -> None:
    q, k, v = random_qkv(0)
    assert sliding_window_attention(q, k, v, 3, 3).shape == q.shape


def test_the_block_mask_of_flex_holds_the_blocks_with_a_visible_pair() -> None:
    for time, left, right in ((300, 31, 32), (1000, 127, 0), (129, 3, 128), (256, 0, 0)):
        mask = attention._block_mask(time, left, right, torch.device("cpu"))
        blocks = -(-time // 128)
        offset = torch.arange(time)[None, :] - torch.arange(time)[:, None]
        visible = torch.zeros(blocks * 128, blocks * 128, dtype=torch.bool)
        visible[:time, :time] = (offset >= -left) & (offset <= right)
        expected = visible.unflatten(1, (blocks, 128)).unflatten(0, (blocks, 128)).any(3).any(1)
        assert torch.equal(mask.to_dense()[0, 0].bool(), expected)


@pytest.mark.filterwarnings("ignore:flex_attention called without")
def test_flex_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.nn.attention.flex_attention import flex_attention

    # Not compiled: that takes half a minute, and what is computed is the same.
    monkeypatch.setattr(attention, "_compiled_flex", lambda: flex_attention)
    for time, left, right in ((300, 31, 32), (129, 127, 0), (256, 0, 0), (200, 3, 150)):
        q, k, v = (x.detach() for x in random_qkv(time, torch.float32))
        found = sliding_window_attention(q, k, v, left, right, backend="flex")
        expected = dense(q, k, v, left, right).float()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs g++")
def test_compiled_flex_gives_the_same() -> None:
    q, k, v = (x.detach() for x in random_qkv(300, torch.float32))
    found = sliding_window_attention(q, k, v, 31, 32, backend="flex")
    expected = dense(q, k, v, 31, 32).float()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_backend_is_settable_and_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def flex(q: Tensor, k: Tensor, v: Tensor, block_mask: object) -> Tensor:
        calls.append(q)
        return q

    monkeypatch.setattr(attention, "_compiled_flex", lambda: flex)
    attention._announce.cache_clear()
    q, k, v = (x.detach() for x in random_qkv(20))
    for value in ("", "auto", "blocked"):
        monkeypatch.setenv("TAAE_ATTENTION", value)
        sliding_window_attention(q, k, v, 3, 3)
    assert not calls
    monkeypatch.setenv("TAAE_ATTENTION", "flex")
    for _ in range(3):
        sliding_window_attention(q, k, v, 3, 3)
    sliding_window_attention(q, k, v, 3, 3, backend="blocked")
    assert len(calls) == 3
    assert capsys.readouterr().err.splitlines() == [
        "sliding-window attention on cpu: blocked",
        "sliding-window attention on cpu: flex",
    ]
    with pytest.raises(TaaeError, match="TAAE_ATTENTION: flex cannot train on a CPU"):
        sliding_window_attention(q.requires_grad_(), k, v, 3, 3)
    monkeypatch.setenv("TAAE_ATTENTION", "full")
    with pytest.raises(TaaeError, match="'full' is none of auto, blocked, flex"):
        sliding_window_attention(q, k, v, 3, 3)


@pytest.mark.parametrize("gradients", [True, False])
def test_memory_is_linear_in_the_length(gradients: bool) -> None:
    """No tensor that is made grows faster than the length; full scores would be 16 times."""
    made = []
    for time in (2048, 8192):
        q, k, v = random_qkv(time, torch.float32)
        largest = Largest()
        with torch.set_grad_enabled(gradients), largest:
            sliding_window_attention(q, k, v, 31, 32)
        made.append(largest.numel)
    assert made[1] < 4.5 * made[0]


class Largest(TorchDispatchMode):
    """Notes the largest storage of any result."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.numel = max(self.numel, result.untyped_storage().nbytes())
        return result
