"""What `auto` means, and that products are computed so."""

from __future__ import annotations

import pytest
import torch

from taae.utils.precision import autocast, resolve


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, "float32"),
        ({"avx2": True, "avx512_bf16": True, "amx_bf16": False}, "bfloat16"),
        ({"architecture": "aarch64", "bf16": True}, "bfloat16"),
    ],
)
def test_auto_is_bfloat16_where_the_processor_multiplies_it(
    capabilities: dict[str, object], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert resolve("auto", "cpu") == expected
    for given in ("float32", "bfloat16"):
        assert resolve(given, "cpu") == given


@pytest.mark.parametrize(("native", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_on_a_gpu(native: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert resolve("auto", "cuda") == expected


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_products_are_computed_in_the_precision(precision: str) -> None:
    with autocast(precision, "cpu"):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == getattr(torch, precision)
