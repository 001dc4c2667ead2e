"""Workers that die, and a map over processes: order, memory, errors."""

from __future__ import annotations

import itertools
import operator
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from taae.utils.errors import TaaeError
from taae.utils.processes import ProcessDied, Worker, ordered_map


def obey(what: str, *numbers: float) -> float:
    """Do as told: die, exit, or print and divide."""
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "exit":
        os._exit(3)
    print("chatter", flush=True)
    return numbers[0] / numbers[1]


@pytest.fixture
def worker():
    worker = Worker(obey)
    yield worker
    worker.close()


def test_a_worker_answers_and_raises(worker):
    assert worker("divide", 6, 3) == 2
    np.testing.assert_array_equal(worker("divide", np.arange(10**6), 2), np.arange(10**6) / 2)
    with pytest.raises(ZeroDivisionError):
        worker("divide", 1, 0)
    assert worker("divide", 1, 2) == 0.5


def test_a_worker_comes_back_from_death(worker):
    for order, cause in (("die", "SIGKILL"), ("exit", "exit status 3")):
        with pytest.raises(ProcessDied, match=f"^{cause}$"):
            worker(order, np.zeros(10**6))
        assert worker("divide", 6, 3) == 2


def test_a_worker_that_was_killed_between_calls(worker):
    worker("divide", 1, 1)
    worker.kill()
    with pytest.raises(ProcessDied, match="SIGKILL"):
        worker("divide", np.zeros(10**6), 1)
    assert worker("divide", 6, 3) == 2


def ask_another(_: int) -> float:
    """As a process that scores calls PESQ: it ends although it never closes its worker."""
    return Worker(obey)("divide", 1, 4)


def test_a_worker_may_have_a_worker():
    assert list(ordered_map(ask_another, [1, 2], 2)) == [0.25, 0.25]


def slow_when_even(value: int) -> tuple[int, int]:
    time.sleep(0.1 * (value % 2 == 0))
    return value, os.getpid()


def fail(value: int) -> int:
    if value == 2:
        raise TaaeError("two is bad")
    return value


def die(value: int) -> int:
    if value == 3:
        os._exit(7)
    return value


def note(path: Path) -> None:
    path.write_text(str(time.monotonic()))


def large(path: Path) -> float:
    return float(path.name)


def long(path: Path) -> None:
    path.touch()
    time.sleep(600)


@pytest.mark.parametrize(("workers", "size"), [(1, float), (2, None), (2, float), (9, float)])
def test_results_keep_the_order(workers, size):
    assert list(ordered_map(operator.neg, [3, 1, 2], workers, size)) == [-3, -1, -2]
    assert list(ordered_map(operator.neg, [], workers)) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_with_preload_each_item_has_a_process_of_its_own(workers):
    results = list(ordered_map(slow_when_even, range(6), workers, preload=["taae.utils.errors"]))
    assert [value for value, _ in results] == list(range(6))
    assert len({process for _, process in results} | {os.getpid()}) == 7


def test_without_preload_processes_are_used_again():
    processes = {process for _, process in ordered_map(slow_when_even, range(6), 2)}
    assert os.getpid() not in processes
    assert len(processes) <= 2


def test_large_items_begin_first(tmp_path):
    paths = [tmp_path / name for name in ("2", "1", "3")]
    # One process after the other, so that the times tell the order.
    list(ordered_map(note, paths, 1, large, preload=["taae.utils.errors"]))
    begun = {path.name: float(path.read_text()) for path in paths}
    assert begun["3"] < begun["2"] < begun["1"]


@pytest.mark.parametrize("preload", [(), ("taae.utils.errors",)])
def test_errors_and_deaths_arrive(preload):
    with pytest.raises(TaaeError, match=r"^two is bad$"):
        list(ordered_map(fail, range(5), 2, preload=preload))
    with pytest.raises(TaaeError, match=r"died \(exit status 7\).* It was at work on 3$"):
        list(ordered_map(die, range(5), 2, preload=preload))


def test_few_items_are_under_way(tmp_path):
    """However slowly results are taken, at most 2 * workers items have begun."""
    paths = [tmp_path / str(number) for number in range(20)]
    results = ordered_map(note, paths, 2, preload=["taae.utils.errors"])
    next(results)
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) <= 4
    results.close()


def test_items_are_read_as_they_are_needed():
    """Items without end, such as a stream has them: read ahead by 2 * workers, in their order."""
    numbers = itertools.count()
    results = ordered_map(operator.neg, numbers, 2)
    assert [next(results) for _ in range(5)] == [0, -1, -2, -3, -4]
    results.close()
    assert next(numbers) <= 9


@pytest.mark.parametrize("preload", [(), ("taae.utils.errors",)])
def test_who_takes_no_more_results_does_not_wait_for_them(tmp_path, preload):
    (tmp_path / "wait").mkdir()
    results = ordered_map(first_alone, [(tmp_path, n) for n in range(4)], 2, preload=preload)
    assert next(results) == 0
    while not list((tmp_path / "wait").iterdir()):
        time.sleep(0.01)
    begun = time.monotonic()
    results.close()
    assert time.monotonic() - begun < 60


def first_alone(item: tuple[Path, int]) -> int:
    """Return the first item's number at once; the others take ten minutes."""
    folder, number = item
    if number:
        long(folder / "wait" / str(number))
    return number


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: /proc")
def test_processes_end_with_the_one_that_started_them(tmp_path):
    """Also where that is killed."""
    code = (
        "import os, signal, time\n"
        "from taae.utils.processes import Worker\n"
        "worker = Worker(os.getpid)\n"
        "print(worker(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    status = Path(f"/proc/{int(done.stdout)}/stat")
    deadline = time.monotonic() + 30
    while status.exists() and status.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)
