"""TensorBoard logs of a training, where the package tensorboard is installed."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

Row = dict[str, float | str]  # of a history


class Events:
    """Event files in `folder`, written anew from `history` and then kept up with it.

    So a resumed training logs no step twice. Each column of the history is a chart, with the
    splits as its curves.
    """

    def __init__(self, folder: Path, history: Iterable[Row]) -> None:
        self.writer = None
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            shutil.rmtree(folder, ignore_errors=True)
            self.writer = SummaryWriter(folder)
        for row in history:
            self.add(row)

    def add(self, row: Row) -> None:
        """Log a row."""
        if self.writer is None:
            return
        for name, value in row.items():
            if name not in ("step", "split") and not math.isnan(float(value)):
                self.writer.add_scalar(f"{name}/{row['split']}", float(value), int(row["step"]))

    def close(self) -> None:
        """Write what is left."""
        if self.writer is not None:
            self.writer.close()
