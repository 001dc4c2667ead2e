"""Programs and source files of others: found, told from newer ones, and run with a time limit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path

from taae.utils.errors import TaaeError

LAST_LINES = 3  # of what a program printed that an error repeats
LONGEST = 4096  # bytes of it that are looked at


def find_program(name: str) -> Path | None:
    """Return a program: on the PATH, or by its path; None where it is not there."""
    found = shutil.which(name)
    return Path(found).absolute() if found else None


def python_file(module: str) -> Path | None:
    """Return the source file of a module such as "package.module"; nothing is imported.

    It is looked for as `python -m` does: in the working directory first.
    """
    places: Sequence[str] | None = [str(Path.cwd()), *sys.path]
    name = spec = None
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        spec = PathFinder.find_spec(name, places) if places is not None else None
        if spec is None:
            return None
        places = spec.submodule_search_locations
    return Path(spec.origin) if spec and spec.origin else None


def stamp(path: Path | None) -> str:
    """Return a file's path, size and time of change: what tells it from a newer one."""
    try:
        if path is not None:
            about = path.stat()
            return f"{path} {about.st_size} {about.st_mtime_ns}"
    except OSError:
        pass
    return f"no {path}"


def run_program(command: Sequence[str], folder: Path, timeout: float) -> None:
    """Run a program in `folder`, without a shell, and every process that it starts.

    Args:
        command: the program and its arguments; first of the error's words.
        timeout: seconds after which all of them are killed.

    Raises:
        TaaeError: it cannot be started, takes longer, or fails; with the last lines it printed.
    """
    name = Path(command[0]).name
    printed = folder / "printed"
    with printed.open("wb") as log:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group, to be killed as one
            )
        except OSError as error:
            raise TaaeError(f"{name} cannot be started ({error.strerror})") from error
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TaaeError(f"{name} took more than {timeout:g} s and was killed") from None
        finally:
            with suppress(ProcessLookupError, PermissionError):  # macOS: of a group of zombies
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if status:
        cause = signal.Signals(-status).name if status < 0 else f"status {status}"
        words = printed.read_bytes()[-LONGEST:].decode(errors="replace").split("\n")
        lines = [line.strip() for line in words if line.strip()]
        raise TaaeError(f"{name} failed ({cause}): {' '.join(lines[-LAST_LINES:])}".rstrip(": "))
