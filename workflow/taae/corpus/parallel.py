"""Work spread over processes: results in order, few in flight, every job in a fresh process."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import TypeVar

from taae.utils.errors import TaaeError

Job = TypeVar("Job")
Result = TypeVar("Result")

# The server imports these once; each job is then a cheap fork of it that no job has touched.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["taae.corpus.synthetic.corpus", "taae.corpus.recordings"])


def ordered_map(
    function: Callable[[Job], Result], jobs: Iterable[Job], workers: int
) -> Iterator[Result]:
    """Yield `function(job)` for each job, in order, from up to `workers` processes at a time.

    A fresh process per job makes results independent of the number of workers even where a C
    library keeps state (eSpeak NG does), and a crash inside one an error instead of a hang. At
    most `2 * workers` jobs are under way or waiting to be taken, so memory stays bounded.
    """
    pool = ThreadPoolExecutor(workers)
    pending: deque[Future[Result]] = deque()
    try:
        for job in jobs:
            pending.append(pool.submit(_in_process, function, job))
            if len(pending) == 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _in_process(function: Callable[[Job], Result], job: Job) -> Result:
    receiver, sender = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_run, args=(sender, function, job), daemon=True)
    process.start()
    sender.close()  # so that the death of the process ends the wait below
    try:
        result, error = receiver.recv()
    except EOFError:
        process.join()
        raise TaaeError(
            f"corpus: a process died (exit code {process.exitcode}) in the job {str(job)[:400]}"
        ) from None
    finally:
        receiver.close()
    process.join()
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _run(sender: Connection, function: Callable[[Job], Result], job: Job) -> None:
    try:
        sender.send((function(job), None))
    except Exception as error:
        sender.send((None, error))
