"""`python -m taae COMMAND ...`: what the workflow's rules call, and what people use without them.

Each module has a group of commands: their options in `add_commands`, then a function for each.
A command imports what it needs when it runs, so that tables and figures need no torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from taae.cli import analysis, bench, coding, corpus, scoring, study, training
from taae.cli.shared import INTERRUPTED, RESUMABLE, Commands
from taae.utils.errors import TaaeError

__all__ = ["INTERRUPTED", "RESUMABLE", "main"]

# Within a group of `--help`, commands are in this order.
MODULES = (study, corpus, training, coding, scoring, bench, analysis)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
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
    parser = argparse.ArgumentParser(
        prog="taae",
        usage="taae COMMAND ...",
        description="Ablation studies of the TAAE speech codec, and the codec by itself.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = Commands(parser)
    for module in MODULES:
        module.add_commands(commands)
    parser.epilog = (
        f"commands:\n{commands.listed()}\n\n`taae COMMAND --help` has the options of each;"
        " Snakemake's rules call others too."
    )
    return parser
