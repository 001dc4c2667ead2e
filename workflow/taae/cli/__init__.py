"""`python -m taae COMMAND ...`: what the workflow's rules call, and what people use without them.

Each module has a group of commands: functions whose parameters are the options. A command imports
what it needs when it runs, so that tables and figures need no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from taae.cli import (  # noqa: F401
    analysis,
    bench,
    coding,
    listening,
    publishing,
    scoring,
    study,
    training,
)
from taae.cli.shared import INTERRUPTED, RESUMABLE, app
from taae.utils.errors import TaaeError

__all__ = ["INTERRUPTED", "RESUMABLE", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 1 for bad input, 2 for a wrong command line."""
    try:
        status = app(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # Of the system, such as a full disk or no permission, without a traceback.
    except (TaaeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return int(status or 0)
