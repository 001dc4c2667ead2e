"""The processes of one data-parallel training: what they tell each other, and what stops them.

Each process has all the weights and computes the gradients of its part of the batch. The gradients
are summed before the optimisers step, in the same order for all processes, so that the weights stay
equal to the last bit. They are summed after the backward passes and not during them, as
`DistributedDataParallel` does it: that module expects one backward pass per step over every weight,
while here two networks share their passes, and a batch may come in parts.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from taae.utils.log import mute

PATIENCE = timedelta(hours=1)  # how long processes wait while the main one saves a large state
# SIGUSR1 is a signal to stop too: unlike the others, srun hands it on to its processes.
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class Interrupted(Exception):
    """The training was told to stop; its state is saved and the same command goes on."""


@dataclass(frozen=True)
class Processes:
    """This process, number `rank` from 0, among the `world_size` of a training; itself alone."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process validates, logs and writes."""
        return self.rank == 0

    def all_reduce_sum(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over the processes."""
        if self.world_size > 1:
            works = [distributed.all_reduce(tensor, async_op=True) for tensor in tensors]
            for work in works:
                work.wait()

    def all_reduce_any(self, flags: Sequence[bool]) -> list[bool]:
        """Return which of the flags are set in any of the processes."""
        return [bool(value) for value in self._all_reduce_max([float(flag) for flag in flags])]

    def all_equal(self, value: float) -> bool:
        """Return whether all processes have the same value; wait until all have come here."""
        largest, negative = self._all_reduce_max([value, -value])
        return largest == -negative

    def _all_reduce_max(self, values: list[float]) -> list[float]:
        tensor = torch.tensor(values, dtype=torch.float64)  # on the CPU: by gloo
        if self.world_size > 1:
            distributed.all_reduce(tensor, distributed.ReduceOp.MAX)
        found: list[float] = tensor.tolist()
        return found


SINGLE_PROCESS = Processes()


@contextmanager
def process_group(
    rank: int, world_size: int, device: str, init_method: str = "env://"
) -> Iterator[Processes]:
    """Join the processes of a training, and leave them at the end.

    Args:
        device: "cpu" or "cuda", where the tensors are that are summed.
        init_method: where the processes meet: a URL for PyTorch, by default MASTER_ADDR and
            MASTER_PORT of the environment.
    """
    backend = "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl"
    if rank:
        mute()
    distributed.init_process_group(backend, init_method, PATIENCE, world_size=world_size, rank=rank)
    try:
        yield Processes(rank, world_size)
    finally:
        distributed.destroy_process_group()


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect signals to stop in a list instead of dying in the middle of a step."""
    received: list[int] = []
    old = {stop: signal.signal(stop, lambda number, _: received.append(number)) for stop in STOPS}
    try:
        yield received
    finally:
        for stop, handler in old.items():
            signal.signal(stop, handler)
