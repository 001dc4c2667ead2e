"""`python -m taae STAGE ...`: one subcommand per stage; the workflow's rules call the same.

Each module has a group of stages, and of each stage its options beside the function that runs it.
A stage imports what it needs when it runs, so that tables and figures need no torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from taae.cli import analysis, bench, coding, corpus, scoring, study, training
from taae.cli.shared import INTERRUPTED, RESUMABLE
from taae.utils.errors import TaaeError

__all__ = ["INTERRUPTED", "RESUMABLE", "main"]

# As data flow, which is the order of `--help`.
GROUPS = (study, corpus, training, coding, scoring, bench, analysis)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status = options.call(options)
    except TaaeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, no permission: the system's words, without a traceback
        print(f"error: {error}", file=sys.stderr)
        return 1
    return int(status or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taae", description=__doc__.splitlines()[0])
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for group in GROUPS:
        group.add_stages(stages)
    return parser
