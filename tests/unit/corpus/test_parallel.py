import os
import time
from pathlib import Path

import pytest

from taae.corpus.parallel import ordered_map
from taae.utils.errors import TaaeError


def slow_when_even(value: int) -> tuple[int, int]:
    time.sleep(0.1 * (value % 2 == 0))
    return value, os.getpid()


def fail(value: int) -> int:
    if value == 2:
        raise TaaeError("two is bad")
    return value


def die(_: int) -> int:
    os._exit(7)


def touch(path: Path) -> None:
    path.touch()


def test_results_are_in_order_and_each_from_a_process_of_its_own() -> None:
    results = list(ordered_map(slow_when_even, range(6), workers=3))
    assert [value for value, _ in results] == list(range(6))
    assert len({process for _, process in results} | {os.getpid()}) == 7


def test_errors_and_deaths_of_a_job_arrive() -> None:
    with pytest.raises(TaaeError, match="two is bad"):
        list(ordered_map(fail, range(5), workers=2))
    with pytest.raises(TaaeError, match="died"):
        list(ordered_map(die, [1], workers=1))


def test_few_jobs_are_under_way(tmp_path: Path) -> None:
    """However slowly results are taken, at most 2 * workers jobs have started."""
    paths = [tmp_path / str(number) for number in range(20)]
    results = ordered_map(touch, paths, workers=2)
    next(results)
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) <= 4
    results.close()
