import operator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from taae.utils import processes as workers_module
from taae.utils.errors import TaaeError
from taae.utils.processes import Helper, HelperDied, ordered_map


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """A helper that does as it is told: raise, exit, print, or divide."""
    (tmp_path / "obedient.py").write_text(
        "import os, signal\n"
        "from taae.utils.processes import serve\n"
        "def act(what, *numbers):\n"
        "    if what == 'die':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    if what == 'exit':\n"
        "        os._exit(3)\n"
        "    print('chatter', flush=True)\n"
        "    return numbers[0] / numbers[1]\n"
        "serve(act)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    helper = Helper("obedient")
    yield helper
    helper.close()


def test_a_helper_answers_and_raises(helper):
    assert helper("divide", 6, 3) == 2
    np.testing.assert_array_equal(helper("divide", np.arange(10**6), 2), np.arange(10**6) / 2)
    with pytest.raises(ZeroDivisionError):
        helper("divide", 1, 0)
    assert helper("divide", 1, 2) == 0.5


def test_a_helper_comes_back_from_death(helper):
    for order, cause in (("die", "SIGKILL"), ("exit", "exit status 3")):
        with pytest.raises(HelperDied, match=f"obedient died .{cause}"):
            helper(order, np.zeros(10**6))
        assert helper("divide", 6, 3) == 2


def test_a_helper_that_was_killed_between_calls(helper):
    helper("divide", 1, 1)
    helper._process.kill()
    helper._process.wait()
    with pytest.raises(HelperDied, match="SIGKILL"):
        helper("divide", np.zeros(10**6), 1)
    assert helper("divide", 6, 3) == 2


@pytest.mark.parametrize(("workers", "size"), [(1, float), (2, None), (2, float), (9, float)])
def test_ordered_map(workers, size):
    assert list(ordered_map(operator.neg, [3, 1, 2], workers, size)) == [-3, -1, -2]
    assert list(ordered_map(operator.neg, [], workers)) == []


def test_large_items_begin_first(monkeypatch):
    begun = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, workers, mp_context):
            super().__init__(workers)

        def submit(self, function, item):
            begun.append(item)
            return super().submit(function, item)

    monkeypatch.setattr(workers_module, "ProcessPoolExecutor", Pool)
    assert list(ordered_map(operator.neg, [2, 3, 1], 2, float)) == [-2, -3, -1]
    assert begun == [3, 2, 1]


def test_a_dead_worker_is_told():
    import os

    with pytest.raises(TaaeError, match="a worker process died"):
        list(ordered_map(os._exit, [1, 1], 2))
