"""Where a training stands, and its history: a row of means per stretch of steps and split."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from taae.training.losses import RECONSTRUCTION, TERMS, Terms, weighted_sum

COLUMNS = [
    *("step", "seconds", "split", "loss"),
    *(*TERMS, "discriminator", "skipped", "learning_rate"),
]
Row = dict[str, float | str]


@dataclass
class Progress:
    """A training's progress; every part of it is plain or a tensor, to be saved.

    Attributes:
        step: steps done.
        seconds: that they took.
        cpu_seconds: of all threads, that they took.
        resumptions: how often a saved state was taken up.
        skipped: steps since the last training row that changed no weight.
        streak: such steps since the last good one.
        history: rows with the keys `COLUMNS`, those apart that a row has no value for.
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

    def note_step(self, terms: Terms) -> None:
        """Take down a good step."""
        self.losses.append(terms)
        self.streak = 0

    def note_skipped(self) -> None:
        """Take down a step that changed no weight."""
        self.skipped += 1
        self.streak += 1

    def add_training_row(self, weights: dict[str, float], rate: float) -> None:
        """Add the means since the last such row; a stage may have begun in between."""
        names = {name for terms in self.losses for name in terms}
        means = {
            name: torch.stack([terms[name] for terms in self.losses if name in terms]).mean()
            for name in names
        }
        self.add_row("train", means, weights, rate)
        self.history[-1]["skipped"] = self.skipped
        self.losses.clear()
        self.skipped = 0

    def add_row(
        self, split: str, terms: Terms, weights: dict[str, float], rate: float
    ) -> float | None:
        """Add a row; return its loss: the reconstruction's, which every split and stage has."""
        row: Row = {"step": self.step, "seconds": round(self.seconds, 2), "split": split}
        row |= {name: float(term) for name, term in terms.items()}
        row["learning_rate"] = rate
        self.history.append(row)
        if not terms:
            return None
        own = {name: terms[name] for name in RECONSTRUCTION}
        row["loss"] = loss = float(weighted_sum(own, weights))
        return loss
