"""TensorBoard logs of a training, where the package tensorboard is installed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from taae.training.history import Row


class Events:
    """Event files in `folder` (None: none), written anew from a history, and kept up with it.

    So a resumed training logs no step twice. Each column of the history is a chart, with the
    splits as its curves.
    """

    def __init__(self, folder: Path | None, history: Sequence[Row]) -> None:
        self.history, self.logged = history, 0
        self.writer = None
        if folder and find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            shutil.rmtree(folder, ignore_errors=True)
            self.writer = SummaryWriter(folder)

    def update(self) -> None:
        """Log the rows that are new."""
        if self.writer is None:
            return
        for row in self.history[self.logged :]:
            for name in row.keys() - {"step", "split"}:
                chart = f"{name}/{row['split']}"
                self.writer.add_scalar(chart, float(row[name]), int(row["step"]))
        self.logged = len(self.history)

    def close(self) -> None:
        """Write what is left."""
        if self.writer is not None:
            self.writer.close()
