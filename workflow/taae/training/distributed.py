"""The processes of one data-parallel training, and what they tell each other.

Each has all the weights and computes the gradients of its part of the batch; their sum is taken
before the optimisers step, in the same order for all, so that the weights stay the same to the
last bit. The sum is taken after the backward passes and not during them, as by
`DistributedDataParallel`: that counts on one backward pass per step over every weight, while here
two networks share their passes, and a batch may come in parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from taae.utils.log import mute

PATIENCE = timedelta(hours=1)  # that the others have while the first one saves a large state


@dataclass(frozen=True)
class Processes:
    """This process among `count`; without `join`, the only one."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that validates, logs and writes."""
        return self.rank == 0

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over the processes."""
        if self.count > 1:
            works = [distributed.all_reduce(tensor, async_op=True) for tensor in tensors]
            for work in works:
                work.wait()

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """Return which of the flags are set in any of the processes."""
        return [bool(value) for value in self._largest([float(flag) for flag in flags])]

    def agree(self, value: float) -> bool:
        """Return whether all processes have the same value; none goes on before all are here."""
        largest, negative = self._largest([value, -value])
        return largest == -negative

    def _largest(self, values: list[float]) -> list[float]:
        if self.count == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64)  # on the CPU: by gloo
        distributed.all_reduce(tensor, distributed.ReduceOp.MAX)
        found: list[float] = tensor.tolist()
        return found


ALONE = Processes()


@contextmanager
def join(rank: int, count: int, device: str, meeting: str = "env://") -> Iterator[Processes]:
    """Yield this process among `count`, which meet as `init_process_group` says.

    Args:
        rank: number of this process, from 0.
        count: of processes.
        device: "cpu" or "cuda", where the tensors are that are added.
        meeting: where they meet: a URL for PyTorch, by default MASTER_ADDR and MASTER_PORT.
    """
    backend = "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl"
    if rank:
        mute()
    distributed.init_process_group(backend, meeting, PATIENCE, world_size=count, rank=rank)
    try:
        yield Processes(rank, count)
    finally:
        distributed.destroy_process_group()
