"""Starting the processes of a training: here, over nodes by SLURM's srun, or torchrun has done so.

On one node the processes are children of this one. A process that torchrun started, or srun, finds
its rank in its environment, as torchrun sets it.

The children are not started by torchrun, since it says less: after a signal or a failure it shows
its own report of all processes instead of the one error or the step that was saved, and a time
budget that is used up would be a failure too.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from typing import NoReturn

import torch
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException, start_processes

from taae.training.config import Training
from taae.training.distributed import SINGLE_PROCESS, Interrupted, process_group, stop_signals
from taae.utils.errors import TaaeError
from taae.utils.gpus import compute

PLACE = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE")  # environment: where how many processes meet
SRUN_WAIT = 600  # seconds that the processes of srun have to end after the first one has
POLL = 0.05  # seconds between looks at the processes and the signals
BY_SIGNAL = 128  # exit statuses above say which signal ended a process
STOPPED = "stopped; run the same command to go on"
Work = Callable[..., None]  # takes `device` and `processes`


def launch(training: Training, work: Work) -> None:
    """Run `work(device=..., processes=...)` in all processes of a training, and wait for their end.

    Processes that torchrun starts on one machine take a GPU each, on their own. Two such trainings
    at once on the same GPUs can have a part of them each, and wait for one another until, after
    `taae.training.distributed.PATIENCE`, one of them fails: start one at a time.

    Args:
        work: `taae.training.train.train`; picklable, as the children start anew.

    Raises:
        Interrupted: on a signal of `STOPS` to any of the processes.
        TaaeError: what `work` raises; fewer GPUs than asked for; a process was killed.
    """
    if {"RANK", *PLACE} <= os.environ.keys():
        rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
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
                work(device=device, processes=SINGLE_PROCESS)
            else:
                run(work, training.all_processes, device)


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
    place = (socket.gethostname(), str(port), str(training.all_processes))
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
        *("sh", "-c", 'RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_STEP_NUM_TASKS exec "$@"', "sh"),
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
            env=os.environ | dict(zip(PLACE, place, strict=True)),
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
    """Run `work` in child processes, hand on a signal to stop, raise what one of them raises."""
    outcomes: SimpleQueue[Exception | None] = get_context("spawn").SimpleQueue()
    failure: Exception | None = None
    with tempfile.TemporaryDirectory(prefix="taae-") as folder, stop_signals() as received:
        common = (world_size, device, f"file://{folder}/init", outcomes, work)
        children = start_processes(_child, common, world_size, join=False)
        try:
            while not (children.join(POLL) or received):
                pass
            if received:
                for child in children.processes:
                    child.terminate()
            while not children.join():
                pass
        except ProcessExitedException as error:
            failure = TaaeError(f"training: {error}; run the same command to go on")
        except ProcessException as error:
            failure = error
    if not outcomes.empty():
        failure = outcomes.get()
    elif received:  # before any of them could save anything
        failure = Interrupted(STOPPED)
    if failure:
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
