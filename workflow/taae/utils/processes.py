"""Processes: a helper that may die without taking the work with it, and a pool that keeps order."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from taae.utils.errors import TaaeError

Item = TypeVar("Item")
Result = TypeVar("Result")


class HelperDied(Exception):
    """The helper process ended during a call."""


class Helper:
    """A process that runs `python -m module` and answers calls; after a death it starts anew.

    The module calls `serve`. Its exceptions come back and are raised here.
    """

    def __init__(self, module: str) -> None:
        """Name the module; the process starts with the first call."""
        self.module = module
        self.cpu_s = 0.0  # CPU seconds of all calls
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    def __call__(self, *arguments: Any) -> Any:
        """Call the served function.

        Raises:
            HelperDied: the process ended, for instance by a segmentation fault.
        """
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(arguments, process.stdin)
            process.stdin.flush()
            result, cpu_s = pickle.load(process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            code = self.close()
            name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            raise HelperDied(f"{self.module} died ({name})") from error
        self.cpu_s += cpu_s
        if isinstance(result, Exception):
            raise result
        return result

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", self.module]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self) -> int:
        """End the process, if there is one, and return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdout is not None
        process.stdout.close()
        try:
            process.communicate()  # closes its standard input, which ends `serve`
        except BrokenPipeError:
            process.wait()
        return process.returncode


def serve(function: Callable[..., Any]) -> None:
    """Answer the calls of a `Helper` on standard input until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no core file in a user's folder
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not break the replies
    while True:
        try:
            arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        start = time.process_time()
        try:
            result = function(*arguments)
        except Exception as error:
            result = error
        pickle.dump((result, time.process_time() - start), replies)
        replies.flush()


def ordered_map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    size: Callable[[Item], float] | None = None,
) -> Iterator[Result]:
    """Apply a picklable function to `items` in `workers` processes; results keep the order.

    Items of large `size` begin first, so that no process ends long after the others.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(function, items)
        return
    begin = range(len(items))
    order = sorted(begin, key=lambda index: size(items[index]), reverse=True) if size else begin
    spawn = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        try:
            futures = {index: pool.submit(function, items[index]) for index in order}
            yield from (futures[index].result() for index in range(len(items)))
        except BrokenProcessPool as error:
            raise TaaeError(
                "scoring: a worker process died, perhaps for want of memory;"
                " try again with fewer jobs"
            ) from error
        finally:  # of what was asked for, nothing more is begun
            pool.shutdown(wait=False, cancel_futures=True)
