"""How far a training is, and its history: a row of means per stretch of steps and split.

The history is also written as TensorBoard event files where the package tensorboard is installed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from taae.training.losses import RECONSTRUCTION, TERMS, Terms, weighted_sum

COLUMNS = [
    *("step", "seconds", "split", "loss"),
    *(*TERMS, "discriminator", "skipped", "learning_rate"),
]
Row = dict[str, Any]


@dataclass
class Progress:
    """A training's progress; every field is a plain value or a tensor, so that it can be saved.

    Attributes:
        step: steps done.
        seconds: time that these steps took.
        cpu_seconds: CPU time of all threads in these steps.
        resumptions: how often a saved state was taken up.
        skipped: steps since the last training row that changed no weight.
        streak: skipped steps since the last good one.
        history: rows; their keys are of `COLUMNS`, and a key without a value is left out.
        losses: terms of the good steps since the last training row.
    """

    step: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    resumptions: int = 0
    skipped: int = 0
    streak: int = 0
    history: list[Row] = field(default_factory=list)
    losses: list[Terms] = field(default_factory=list)

    def add_training_row(self, weights: dict[str, float], rate: float) -> None:
        """Add the means since the last training row; a term may have begun in between."""
        names = {name for terms in self.losses for name in terms}
        means = {
            name: torch.stack([terms[name] for terms in self.losses if name in terms]).mean()
            for name in names
        }
        row = self.add_row("train", means, weights, rate)
        row["skipped"] = self.skipped
        self.losses.clear()
        self.skipped = 0

    def add_row(self, split: str, terms: Terms, weights: dict[str, float], rate: float) -> Row:
        """Add a row and return it; its loss, where it has terms, is the reconstruction loss."""
        row: Row = {"step": self.step, "seconds": round(self.seconds, 2), "split": split}
        row |= {name: float(term) for name, term in terms.items()}
        if terms:
            own = {name: terms[name] for name in RECONSTRUCTION}
            row["loss"] = float(weighted_sum(own, weights))
        row["learning_rate"] = rate
        self.history.append(row)
        return row


class EventFiles:
    """TensorBoard event files in `folder`: a chart for each column, with a curve per split.

    They are written anew from the whole history, so a resumed training logs no step twice. Where
    the package is not installed, or `folder` is None, there are none.
    """

    def __init__(self, folder: Path | None) -> None:
        self.logged, self.writer = 0, None
        if folder and find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            shutil.rmtree(folder, ignore_errors=True)
            self.writer = SummaryWriter(folder)

    def update(self, history: list[Row]) -> None:
        """Log the new rows of a history."""
        if self.writer is not None:
            for row in history[self.logged :]:
                for name in row.keys() - {"step", "split"}:
                    chart = f"{name}/{row['split']}"
                    self.writer.add_scalar(chart, row[name], row["step"])
            self.logged = len(history)

    def close(self) -> None:
        """Write what is still in memory."""
        if self.writer is not None:
            self.writer.close()
