"""The adversarial game between the codec and a discriminator D.

With x a segment, y its reconstruction, D_k the logits of scale k and f_kl the features of its
layer l, all averaged over the segments:

discriminator     mean over k of  mean max(0, 1 - D_k(x)) + mean max(0, 1 + D_k(y))      (hinge)
adversarial       mean over k of  -mean D_k(y)
feature_matching  mean over k, l of  mean |f_kl(x) - f_kl(y)| / mean |f_kl(x)|

D minimises the first, the codec the other two. Both gradients are taken at the same state of both
players, from one pass of D over x and one over y (see `taae.training.trainer`).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from taae.training import segments
from taae.training.config import Training
from taae.training.discriminator import Discriminator, ScaleOutput
from taae.training.losses import Terms, relative
from taae.training.optimizer import Optimisation

FEATURE_FLOOR = 1e-3  # mean magnitude of real features, at least


def hinge(real: list[ScaleOutput], decoded: list[ScaleOutput]) -> Tensor:
    """Return what the discriminator minimises."""
    losses = [
        F.relu(1 - true.float()).mean() + F.relu(1 + false.float()).mean()
        for (true, _), (false, _) in zip(real, decoded, strict=True)
    ]
    return torch.stack(losses).mean()


def adversarial(decoded: list[ScaleOutput]) -> Tensor:
    """Return how surely the discriminator recognises decoded segments as decoded."""
    return torch.stack([-logits.float().mean() for logits, _ in decoded]).mean()


def feature_matching(real: list[ScaleOutput], decoded: list[ScaleOutput]) -> Tensor:
    """Return the distance of features from the real ones; gradients reach only the decoded ones."""
    losses = [
        relative(y, x.detach(), FEATURE_FLOOR)
        for (_, true), (_, false) in zip(real, decoded, strict=True)
        for x, y in zip(true, false, strict=True)
    ]
    return torch.stack(losses).mean()


class Adversary:
    """The discriminator, its optimiser, and the step at which it starts to play."""

    def __init__(self, training: Training, seed: int, device: torch.device) -> None:
        settings = training.discriminator
        self.seed, self.samples = seed, settings.samples
        self.start = training.start(settings.share)
        self.network = Discriminator(settings.fft_sizes, settings.width).to(device)
        own = replace(
            training,
            steps=training.steps - self.start,
            optimizer="adamw",
            learning_rate=settings.learning_rate,
        )
        self.optimisation = Optimisation(self.network, own)

    def terms(self, decoded: Tensor, target: Tensor, step: int) -> Terms:
        """Return the three terms of (batch, samples) waveforms, of a random cut of them."""
        samples = self.samples or target.shape[1]
        cut = segments.cut(target.shape[1], samples, self.seed, step)
        real, fake = self.network(target[:, cut]), self.network(decoded[:, cut])
        return {
            "adversarial": adversarial(fake),
            "feature_matching": feature_matching(real, fake),
            "discriminator": hinge(real, fake),
        }

    def state_dict(self) -> dict[str, object]:
        """Return the state of the discriminator and of its optimiser."""
        return {
            "network": self.network.state_dict(),
            "optimisation": self.optimisation.state_dict(),
        }

    def load_state_dict(self, state: dict[str, dict[str, list[dict[str, object]]]]) -> None:
        """Take up the state that `state_dict` returned."""
        self.network.load_state_dict(state["network"])
        self.optimisation.load_state_dict(state["optimisation"])
