"""Which arithmetic layers compute in: bfloat16 where the hardware multiplies it, else float32."""

from __future__ import annotations

import torch


def resolve(precision: str, device: str) -> str:
    """Return bfloat16 or float32; `auto`: bfloat16 where a device, `cpu` or `cuda`, multiplies it.

    A CPU without instructions for it (x86 before AVX512-BF16 and AMX) emulates each product, up to
    hundreds of times slower than float32's; a GPU without them (before Ampere) converts.
    """
    if precision != "auto":
        return precision
    if device == "cuda":
        found = torch.cuda.is_bf16_supported(including_emulation=False)
    else:  # avx512_bf16, amx_bf16, or what an ARM processor calls its instructions
        found = any("bf16" in name and has for name, has in torch.cpu.get_capabilities().items())
    return "bfloat16" if found else "float32"


def autocast(precision: str, device: str) -> torch.autocast:
    """Return the context in which layers compute in a precision on a device, `cpu` or `cuda`."""
    enabled = resolve(precision, device) == "bfloat16"
    return torch.autocast(device, torch.bfloat16, enabled=enabled)
