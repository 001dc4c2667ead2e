"""Files that grow together and outlive a kill: a note says how far they are whole."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from taae.utils.files import write_json

NOTE = "note.json"


class Journal:
    """Binary files to append to, in a `with` block.

    What was appended after the last `commit` is cut off when they are opened again, so that they
    always are what the note says they are.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """Open the files; `note` is that of the last commit, or None where they start anew."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.note, sizes = _read(folder, names)
        self.files: dict[str, BinaryIO] = {}
        for name in names:
            if name not in sizes:  # never written over: what it held may have another name, too
                (folder / name).unlink(missing_ok=True)
            self.files[name] = file = (folder / name).open("r+b" if name in sizes else "wb")
            file.truncate(sizes.get(name, 0))
            file.seek(0, os.SEEK_END)

    def commit(self, note: dict[str, Any]) -> None:
        """Declare what was appended so far, described by `note`, to be whole."""
        for file in self.files.values():
            file.flush()
            os.fsync(file.fileno())  # on the disk before the note says so
        sizes = {name: os.fstat(file.fileno()).st_size for name, file in self.files.items()}
        write_json({"sizes": sizes, "note": note}, self.folder / NOTE)

    def __enter__(self) -> Journal:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files; what was not committed is lost."""
        for file in self.files.values():
            file.close()


def _read(folder: Path, names: Sequence[str]) -> tuple[dict[str, Any] | None, dict[str, int]]:
    """Return the note and the sizes of the files; None and {} unless all are as long as noted."""
    try:
        stored = json.loads((folder / NOTE).read_bytes())
        sizes: dict[str, int] = stored["sizes"]
        if all((folder / name).stat().st_size >= sizes[name] for name in names):
            return stored["note"], sizes
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None, {}
