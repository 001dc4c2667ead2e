"""Which arithmetic layers compute in: bfloat16 where the hardware multiplies it, else float32."""

from __future__ import annotations

import torch


def resolve(precision: str, device: str) -> str:
    """Return bfloat16 or float32; `auto` is what a device, `cpu` or `cuda`, does faster.

    A CPU without bfloat16 instructions (x86 before AVX512-BF16 and AMX) emulates each product, a
    hundred times slower than float32's.
    """
    if precision != "auto":
        return precision
    # Of a CPU: avx512_bf16, amx_bf16 or what an ARM processor calls its instructions.
    capable = any("bf16" in name and found for name, found in torch.cpu.get_capabilities().items())
    return "bfloat16" if device == "cuda" or capable else "float32"


def autocast(precision: str, device: str) -> torch.autocast:
    """Return the context in which layers compute in a precision on a device, `cpu` or `cuda`."""
    enabled = resolve(precision, device) == "bfloat16"
    return torch.autocast(device, torch.bfloat16, enabled=enabled)
