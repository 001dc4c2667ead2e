"""Processes that may die without taking the work with them, and a map over several of them."""

from __future__ import annotations

import multiprocessing
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import count, islice
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from queue import SimpleQueue
from typing import Any, TypeVar

from taae.utils.errors import TaaeError

Item = TypeVar("Item")
Result = TypeVar("Result")


class ProcessDied(Exception):
    """The process ended during a call; the message is its signal or its exit status."""


class Worker:
    """A process that answers calls of a function; after a death the next call starts another.

    Args:
        function: picklable; its exceptions come back and are raised here.
        method: how the process starts; a fork of this one would copy the locks of its threads.
    """

    def __init__(self, function: Callable[..., Any], method: str = "spawn") -> None:
        self.cpu_s = 0.0  # CPU seconds of all calls
        self._function = function
        self._context: Any = multiprocessing.get_context(method)
        self._process: BaseProcess | None = None
        self._connection: Connection
        # Before multiprocessing waits, at the end of this process, for those that it started.
        Finalize(None, self.close, exitpriority=0)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function in the process; `ProcessDied`: for instance by a segmentation fault."""
        if self._process is None:
            self._connection, other = self._context.Pipe()
            process = self._context.Process(target=_serve, args=(other, self._function))
            process.start()
            self._process = process
            other.close()  # so that the death of the process ends the wait below
        try:
            self._connection.send(arguments)
            result, cpu_s = self._connection.recv()
        except (EOFError, ConnectionError) as error:
            code = self.close()
            cause = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            raise ProcessDied(cause) from error
        self.cpu_s += cpu_s
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> int:
        """End the process, if there is one, and return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        self._connection.close()
        process.join()
        assert process.exitcode is not None, "it has ended"
        return process.exitcode

    def kill(self) -> None:
        """Kill the process, also during a call."""
        if self._process is not None:
            self._process.kill()


def _serve(connection: Connection, function: Callable[..., Any]) -> None:
    """Answer calls until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no core file in a user's folder
    with suppress(EOFError, ConnectionError):
        while True:
            arguments = connection.recv()
            start = time.process_time()
            try:
                result = function(*arguments)
            except Exception as error:
                result = error
            connection.send((result, time.process_time() - start))


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    size: Callable[[Item], float] | None = None,
    preload: Sequence[str] = (),
) -> Iterator[Result]:
    """Apply `function` to `items` in up to `workers` processes; results keep the order.

    Args:
        function, items: picklable.
        size: items of large size begin first, so that no process ends long after the others.
            Without it items are taken as they are needed: at most 2 * `workers` are begun and
            their results not yet taken, whatever their number, so memory stays bounded.
        preload: modules. With them each item has a process of its own, forked from a server that
            has imported them once: no item sees what a C library keeps of another.

    Raises:
        TaaeError: a process died; names the item.
    """
    if isinstance(items, Sized):
        workers = min(workers, len(items))
    if workers <= 1 and not preload:
        yield from map(function, items)
        return
    if preload:
        multiprocessing.get_context("forkserver").set_forkserver_preload(list(preload))
    processes = [Worker(function, "forkserver" if preload else "spawn") for _ in range(workers)]
    idle: SimpleQueue[Worker] = SimpleQueue()
    for process in processes:
        idle.put(process)

    def call(item: Item) -> Result:
        process = idle.get()
        try:
            return process(item)  # type: ignore[no-any-return]
        except ProcessDied as error:
            raise TaaeError(
                f"a worker process died ({error}), perhaps for want of memory: try again with"
                f" fewer jobs. It was at work on {str(item)[:400]}"
            ) from None
        finally:
            if preload:
                process.close()
            idle.put(process)

    waiting: Iterator[tuple[int, Item]] = enumerate(items)
    ahead = 2 * workers
    if size:
        largest_first = sorted(waiting, key=lambda each: size(each[1]), reverse=True)
        waiting, ahead = iter(largest_first), len(largest_first)
    futures: dict[int, Future[Result]] = {}
    with ThreadPoolExecutor(max(1, workers)) as threads:
        try:
            for index in count():
                for begun, item in islice(waiting, ahead - len(futures)):
                    futures[begun] = threads.submit(call, item)
                if not futures:
                    break
                yield futures.pop(index).result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            while not all(future.done() for future in futures.values()):  # nobody waits for them
                for process in processes:
                    process.kill()
                time.sleep(0.01)
    for process in processes:
        process.close()
