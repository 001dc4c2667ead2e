"""Runs `taae` commands in forks of itself: a start costs milliseconds, not the import of torch.

Reads a command a line from stdin, as a JSON list of arguments. Answers two lines: the process
id, then the exit status. The child's stderr goes to the file that is the first argument. The child
is reaped only when the next command comes: until then its id is no other process's, so that one
may be sent a signal at any time.
"""

import json
import os
import sys

import torch

from taae.cli import main
from taae.study import load


def run(arguments: list[str], log: str) -> None:
    """Become the command."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), descriptor)
    os._exit(main(arguments))


# What is loaded late: the first optimiser imports as much again, the first study compiles checks.
torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
load.resolve({})
child = 0
for line in sys.stdin:
    if child:
        os.waitpid(child, 0)
    child = os.fork()
    if not child:
        run(json.loads(line), sys.argv[1])
    print(child, flush=True)
    ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    print(ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status, flush=True)
