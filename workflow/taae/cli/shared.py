"""What commands share: how they are declared, options, and statuses that they exit with."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from taae.codec.operating_points import NATIVE, PRESETS

INTERRUPTED = 130  # exit status after Ctrl-C, as in a shell
RESUMABLE = 75  # exit status of a training that saved its state: run it again (EX_TEMPFAIL)

# The groups of `taae --help`, in its order.
STUDY, CODEC, AUDIO, MEASURE = "a study", "a codec", "audio", "what it takes"
GROUPS = (STUDY, CODEC, AUDIO, MEASURE)


class Commands:
    """The subcommands of a parser. Those of a group are in `--help`; the rules call the others."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.subparsers = parser.add_subparsers(
            dest="command", required=True, prog=parser.prog, help=argparse.SUPPRESS
        )
        self._shown: dict[str, list[str]] = {group: [] for group in GROUPS}

    def add(
        self,
        name: str,
        call: Callable[[argparse.Namespace], int | None],
        help: str,
        group: str | None = None,
        usage: str | None = None,
    ) -> argparse.ArgumentParser:
        """Add a command that calls `call` with its options, and return its parser."""
        # Without `help`, argparse leaves it out of its own list, which has no groups.
        command = self.subparsers.add_parser(name, description=help, usage=usage)
        command.set_defaults(call=call)
        if group:
            self._shown[group].append(f"    {name:21}{help}")
        return command

    def listed(self) -> str:
        """Return the commands by group, as `--help` shows them."""
        return "\n".join(f"  {group}\n" + "\n".join(lines) for group, lines in self._shown.items())


def add_study(command: argparse.ArgumentParser, *aliases: str) -> None:
    """Add `--study`, the config files, also by other names."""
    command.add_argument(
        "--study",
        *aliases,
        type=Path,
        nargs="+",
        default=[Path("config.yaml")],
        help="config files, laid over each other; default config.yaml",
    )


def add_path(command: argparse.ArgumentParser, name: str, help: str) -> None:
    """Add a path that must be given."""
    command.add_argument(name, type=Path, required=True, help=help)


def add_point(command: argparse.ArgumentParser) -> None:
    """Add `--point`, an operating point of a model."""
    command.add_argument(
        "--point",
        default=NATIVE,
        metavar="POINT",
        help=f"{NATIVE}, {', '.join(PRESETS)}, or stages LEVELS@SCALE+...; default {NATIVE}",
    )


def add_hardware(command: argparse.ArgumentParser) -> None:
    """Add `--threads` and `--gpus`: what to compute on."""
    add_threads(command)
    command.add_argument("--gpus", type=int, default=0, choices=[0, 1], help="default 0: the CPU")


def add_threads(command: argparse.ArgumentParser) -> None:
    """Add `--threads`, of a command that computes on the CPU."""
    command.add_argument("--threads", type=int, default=1, help="CPU threads; default 1")


def add_jobs(command: argparse.ArgumentParser) -> None:
    """Add `--jobs`, processes beside each other."""
    command.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; default 1")


def add_checkpoints(command: argparse.ArgumentParser) -> None:
    """Add `--checkpoint-every`, of a command that an interruption does not set back."""
    command.add_argument(
        "--checkpoint-every",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds between saved states; default 60",
    )
