"""Peak memory of computations whose tensors can be counted by hand."""

from __future__ import annotations

import torch

from taae.utils.memory import peak_mib


def test_the_peak_is_what_is_held_at_once() -> None:
    """1 MiB each: three that live together, then ten that live one after another."""

    def together() -> None:
        kept = [torch.empty(256, 1024) for _ in range(3)]
        assert len(kept) == 3

    def in_turns() -> None:
        for _ in range(10):
            torch.empty(256, 1024)

    before = torch.empty(256, 1024)
    assert peak_mib(together) == 3
    assert peak_mib(in_turns) == 1
    assert peak_mib(lambda: before + 1) < 1.001
    assert peak_mib(lambda: None) == 0
