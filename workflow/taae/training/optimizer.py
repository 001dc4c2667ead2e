"""Optimisers, their schedule, and the averaged weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from taae.training.config import Training


def schedule(training: Training) -> Callable[[int], float]:
    """Return the factor of the learning rate at a step: linear warm-up, flat, linear to 0."""

    def factor(step: int) -> float:
        rise = (step + 1) / training.warmup if training.warmup else 1.0
        fall_steps = training.decay * training.steps
        fall = (training.steps - step) / fall_steps if fall_steps else 1.0
        return max(0.0, min(1.0, rise, fall))

    return factor


class Optimisation:
    """The optimisers of a model, stepped together.

    Muon (Jordan et al. 2024) takes the matrices, also those of the convolutions; AdamW takes
    the rest (norms, scales, biases), or everything where `training.optimizer` says so.
    """

    def __init__(self, model: nn.Module, training: Training) -> None:
        self.clip = training.clip
        self.parameters = list(model.parameters())
        muon = training.optimizer == "muon"
        matrices = [weight for weight in self.parameters if muon and weight.dim() == 2]
        rest = [weight for weight in self.parameters if not muon or weight.dim() != 2]
        rate = training.adamw_learning_rate if muon else training.learning_rate
        decay = training.weight_decay
        betas = (training.betas[0], training.betas[1])
        self.optimizers: list[Optimizer] = [
            AdamW(rest, lr=rate, betas=betas, weight_decay=decay, fused=True)
        ]
        if matrices:
            self.optimizers.append(Muon(matrices, lr=training.learning_rate, weight_decay=decay))
        factor = schedule(training)
        self.schedulers = [LambdaLR(optimizer, factor) for optimizer in self.optimizers]
        self.parts: list[Optimizer | LambdaLR] = [*self.optimizers, *self.schedulers]

    @property
    def learning_rate(self) -> float:
        """The rate of AdamW at this step."""
        return float(self.schedulers[0].get_last_lr()[0])

    def gradients(self) -> list[Tensor]:
        """Return the gradients of all weights that have one."""
        return [weight.grad for weight in self.parameters if weight.grad is not None]

    def clip_gradients(self) -> Tensor:
        """Scale the gradients to a norm of at most `clip`; return the norm they had."""
        return nn.utils.clip_grad_norm_(self.parameters, self.clip, foreach=True)

    def step(self) -> None:
        """Update the weights and advance the schedule."""
        for part in self.parts:
            part.step()

    def clear(self) -> None:
        """Forget the gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def state_dict(self) -> list[dict[str, Any]]:
        """Return the state of every optimiser and schedule."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Take up what `state_dict` returned."""
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """Return the exponential moving average of a model's weights, to be updated each step."""
    with torch.no_grad():
        return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
