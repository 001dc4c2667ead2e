"""Starting the processes of a training: here, over nodes, or as torchrun or srun has done already.

On one node the processes are children of this one. For several nodes, SLURM's srun starts one
process for each GPU of each node; elsewhere torchrun does. Such a process finds its place among the
others in its environment.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import NoReturn

import torch
from torch.multiprocessing.spawn import (
    ProcessContext,
    ProcessException,
    ProcessExitedException,
    start_processes,
)

from taae.training.config import Training, Variant
from taae.training.distributed import join
from taae.training.train import Interrupted, stop_signals, train
from taae.utils.errors import TaaeError
from taae.utils.gpus import compute

MEETING = ("MASTER_ADDR", "MASTER_PORT")  # environment: where the processes meet
SRUN = "TAAE_SRUN"  # environment: set where `_run_by_srun` started the process
STRAGGLE = 600  # seconds that the processes of srun have to end after the first one has
POLL = 0.05  # seconds between looks at what the processes and the signals do
BY_SIGNAL = 128  # exit statuses above say which signal ended a process
STOPPED = "stopped; run the same command to go on"
Work = Callable[..., None]  # takes `device` and `processes`


def launch(
    variant: Variant,
    seed: int,
    corpus: Path,
    output: Path,
    state: Path,
    checkpoint_every: float = 60.0,
    time_budget: float = math.inf,
    kept: Path | None = None,
) -> None:
    """Call `train` in as many processes as `variant.training` asks for, and wait for their end.

    The arguments are those of `train`, but for the seconds in `time_budget`: they count from this
    call on, also those in which it waits for a GPU or for its processes.

    Processes that torchrun starts on one machine take a GPU each, on their own. Two such trainings
    at once on the same GPUs can have a part of them each, and wait for one another until, after
    `taae.training.distributed.PATIENCE`, one of them fails: start one at a time.

    Raises:
        Interrupted: on a signal of `stop_signals` to any of the processes.
        TaaeError: what `train` raises; fewer GPUs than asked for; a process was killed.
    """
    deadline = time.monotonic() + time_budget
    training = variant.training
    work: Work = partial(
        train, variant, seed, corpus, output, state, checkpoint_every, deadline=deadline, kept=kept
    )
    place = place_in(os.environ)
    if place is not None:
        rank, count = place
        if count != training.all_processes:
            raise TaaeError(
                f"training: {count} processes were started, but gpus, processes and nodes ask for"
                f" {training.all_processes}"
            )
        with compute(min(1, training.gpus)) as device, join(rank, count, device) as processes:
            work(device=device, processes=processes)
    elif training.nodes > 1:
        _run_by_srun(training)
    else:
        with compute(training.gpus) as device:
            if training.all_processes == 1:
                work(device=device)
            else:
                run(work, training.all_processes, device)


def place_in(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Return rank and number of this process where torchrun or `_run_by_srun` started it.

    Other steps of SLURM have a rank too, such as those in which Snakemake runs its jobs, and some
    sites say in every job where processes may meet: hence a mark of our own.
    """
    by_srun = (SRUN, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS")
    by_torchrun = (*MEETING, "RANK", "WORLD_SIZE")
    for *marks, rank, count in (by_srun, by_torchrun):
        if {*marks, rank, count} <= environment.keys():
            return int(environment[rank]), int(environment[count])
    return None


def _run_by_srun(training: Training) -> NoReturn:
    """Run this command by srun, in a process for each one of the training, in this SLURM job.

    Exits with the status of srun, which is the highest one of the processes.

    Raises:
        Interrupted: this process was told to stop, and that ended some of the others.
    """
    if "SLURM_JOB_ID" not in os.environ:
        raise TaaeError(
            f"training.nodes: {training.nodes}, but this is no SLURM job; run"
            " `torchrun --nnodes ... -m taae train ...` on each of them instead"
        )
    with closing(socket.create_server(("", 0))) as server:  # a port that is free here
        port = server.getsockname()[1]
    # Rank 0 runs on the first node of the job, which is this one.
    meeting = dict(zip(MEETING, (socket.gethostname(), str(port)), strict=True))
    command = [
        "srun",
        "--overlap",  # this process may be a step that holds what the job has
        # Where one process fails, the others are not to wait for it as long as PyTorch lets them.
        # --kill-on-bad-exit would also kill, for the first one that stops with its state saved,
        # those that are about to, and hide its status.
        f"--wait={STRAGGLE}",
        f"--nodes={training.nodes}",
        f"--ntasks={training.all_processes}",
        f"--ntasks-per-node={training.processes_per_node}",
        f"--cpus-per-task={training.threads}",
        *(sys.executable, "-m", "taae", *sys.argv[1:]),
    ]
    sys.stderr.flush()
    # At SIGTERM srun kills its processes, which are to save their state. So it gets a group of its
    # own, which signals to that of this process do not reach, and is sent one that it hands on.
    with (
        stop_signals() as received,
        subprocess.Popen(
            command,
            env=os.environ | meeting | {SRUN: "1"},
            stdin=subprocess.DEVNULL,  # a terminal stops what reads it from another group
            process_group=0,
        ) as srun,
    ):
        while srun.poll() is None and not received:
            time.sleep(POLL)
        if received:
            srun.send_signal(signal.SIGUSR1)
    # A process dies of the signal where it comes before the process listens to signals, or after
    # its state was saved; its status would hide that of the others.
    if received and (srun.returncode < 0 or srun.returncode > BY_SIGNAL):
        raise Interrupted(STOPPED)
    sys.exit(srun.returncode)


def run(work: Work, count: int, device: str) -> None:
    """Run `work(device=..., processes=...)` in `count` processes that are children of this one.

    A signal to stop is passed on to them; what `work` raises in one of them is raised here.
    """
    context = get_context("spawn")
    outcomes: SimpleQueue[Exception | None] = context.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="taae-") as folder, stop_signals() as received:
        common = (count, device, f"file://{folder}/meeting", outcomes, work)
        children = start_processes(_child, common, count, join=False)
        failure: ProcessException | None = None
        try:
            _wait(children, received)
        except ProcessException as error:
            failure = error
        if not outcomes.empty():
            outcome = outcomes.get()
            if outcome is not None:
                raise outcome
        elif received:  # before any of them could save anything
            raise Interrupted(STOPPED)
        elif isinstance(failure, ProcessExitedException):
            raise TaaeError(
                f"training: {failure}; run the same command to go on from the last state"
            )
        elif failure:
            raise failure


def _child(
    rank: int,
    count: int,
    device: str,
    meeting: str,
    outcomes: SimpleQueue[Exception | None],
    work: Work,
) -> None:
    if device == "cuda":
        torch.cuda.set_device(rank)
    with join(rank, count, device, meeting) as processes:
        # The outcome is told before this process leaves the others: they fail for want of it, and
        # then all are killed.
        try:
            work(device=device, processes=processes)
            if rank == 0:
                outcomes.put(None)
        except Interrupted as interrupted:  # raised by all, each of which may end in peace
            outcomes.put(interrupted)
        except (TaaeError, OSError) as error:
            outcomes.put(error)
            sys.exit(1)


def _wait(children: ProcessContext, received: list[int]) -> None:
    """Wait for the end of the children, passing on the signals that are received meanwhile."""
    passed = 0
    while not children.join(POLL):
        for number in received[passed:]:
            for child in children.processes:
                if child.is_alive():
                    os.kill(child.pid, number)
        passed = len(received)
