"""Starting the processes of a training: here, over nodes, or as torchrun or srun has done already.

On one node the processes are children of this one. For several nodes, SLURM's srun starts one
process for each GPU of each node; elsewhere torchrun does. Such a process finds its rank in its
environment.

The children are not started by torchrun, since it says less: after a signal or a failure it shows
its own report of all processes instead of the one error or the step that was saved, and a time
budget that is used up would be a failure too.
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
    ProcessException,
    ProcessExitedException,
    start_processes,
)

from taae.training.config import Training, Variant
from taae.training.distributed import process_group
from taae.training.train import Interrupted, stop_signals, train
from taae.utils.errors import TaaeError
from taae.utils.gpus import compute

MASTER = ("MASTER_ADDR", "MASTER_PORT")  # environment: where the processes meet
SRUN = "TAAE_SRUN"  # environment: set where `_run_by_srun` started the process
SRUN_WAIT = 600  # seconds that the processes of srun have to end after the first one has
POLL = 0.05  # seconds between looks at the processes and the signals
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

    The arguments are those of `train`, except `time_budget`: seconds from this call on, which
    include the time in which it waits for a GPU or for its processes.

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
    started = rank_and_world_size(os.environ)
    if started is not None:
        rank, world_size = started
        if world_size != training.all_processes:
            raise TaaeError(
                f"training: {world_size} processes were started, but gpus, processes and nodes ask"
                f" for {training.all_processes}"
            )
        with (
            compute(min(1, training.gpus)) as device,
            process_group(rank, world_size, device) as processes,
        ):
            work(device=device, processes=processes)
    elif training.nodes > 1:
        _run_by_srun(training)
    else:
        with compute(training.gpus) as device:
            if training.all_processes == 1:
                work(device=device)
            else:
                run(work, training.all_processes, device)


def rank_and_world_size(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Return rank and number of processes where torchrun or `_run_by_srun` started this one.

    Other steps of SLURM have a rank too, such as those in which Snakemake runs its jobs, and some
    sites set MASTER_ADDR in every job: hence a mark of our own.
    """
    by_srun = (SRUN, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS")
    by_torchrun = (*MASTER, "RANK", "WORLD_SIZE")
    for *marks, rank, world_size in (by_srun, by_torchrun):
        if {*marks, rank, world_size} <= environment.keys():
            return int(environment[rank]), int(environment[world_size])
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
    master = dict(zip(MASTER, (socket.gethostname(), str(port)), strict=True))
    command = [
        "srun",
        "--overlap",  # this process may be a step that holds all resources of the job
        # Where one process fails, the others must not wait for it as long as PyTorch lets them.
        # --kill-on-bad-exit would also kill, when the first one stops with its state saved, the
        # others that are about to, and hide its status.
        f"--wait={SRUN_WAIT}",
        f"--nodes={training.nodes}",
        f"--ntasks={training.all_processes}",
        f"--ntasks-per-node={training.processes_per_node}",
        f"--cpus-per-task={training.threads}",
        *(sys.executable, "-m", "taae", *sys.argv[1:]),
    ]
    sys.stderr.flush()
    # At SIGTERM srun kills its processes, which must save their state first. So srun gets a group
    # of its own, which signals to the group of this process do not reach, and is sent SIGUSR1,
    # which it hands on.
    with (
        stop_signals() as received,
        subprocess.Popen(
            command,
            env=os.environ | master | {SRUN: "1"},
            stdin=subprocess.DEVNULL,  # a terminal stops what reads it from another group
            process_group=0,
        ) as srun,
    ):
        while srun.poll() is None and not received:
            time.sleep(POLL)
        if received:
            srun.send_signal(signal.SIGUSR1)
    # A process dies of the signal where it comes before the process listens to signals, or after
    # its state was saved; its status would hide the status of the others.
    if received and (srun.returncode < 0 or srun.returncode > BY_SIGNAL):
        raise Interrupted(STOPPED)
    sys.exit(srun.returncode)


def run(work: Work, world_size: int, device: str) -> None:
    """Run `work(device=..., processes=...)` in `world_size` child processes.

    A signal to stop is passed on to them; an error that `work` raises in one of them is raised
    here.
    """
    context = get_context("spawn")
    outcomes: SimpleQueue[Exception | None] = context.SimpleQueue()
    failure: ProcessException | None = None
    with tempfile.TemporaryDirectory(prefix="taae-") as folder, stop_signals() as received:
        common = (world_size, device, f"file://{folder}/init", outcomes, work)
        children = start_processes(_child, common, world_size, join=False)
        passed_on = 0
        try:
            while not children.join(POLL):
                for number in received[passed_on:]:
                    for child in filter(lambda child: child.is_alive(), children.processes):
                        os.kill(child.pid, number)
                passed_on = len(received)
        except ProcessException as error:
            failure = error
    if not outcomes.empty():
        outcome = outcomes.get()
        if outcome is not None:
            raise outcome
    elif received:  # before any of them could save anything
        raise Interrupted(STOPPED)
    elif isinstance(failure, ProcessExitedException):
        raise TaaeError(f"training: {failure}; run the same command to go on from the last state")
    elif failure:
        raise failure


def _child(
    rank: int,
    world_size: int,
    device: str,
    init_method: str,
    outcomes: SimpleQueue[Exception | None],
    work: Work,
) -> None:
    if device == "cuda":
        torch.cuda.set_device(rank)
    with process_group(rank, world_size, device, init_method) as processes:
        # The outcome is told before this process leaves the group: the others fail when it is
        # gone, and then all are killed.
        try:
            work(device=device, processes=processes)
            if processes.is_main:
                outcomes.put(None)
        except Interrupted as interrupted:  # raised by all, and each ends by itself
            outcomes.put(interrupted)
        except (TaaeError, OSError) as error:
            outcomes.put(error)
            sys.exit(1)
