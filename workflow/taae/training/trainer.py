"""The networks of one training, and how a step changes them."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

from taae.codec.codec import Codec
from taae.codec.conv import ResidualUnit
from taae.codec.fsq import FSQ
from taae.codec.taae import Layer, SelfAttention
from taae.corpus.store import Split
from taae.training import segments
from taae.training.adversarial import Adversary
from taae.training.config import Training, Variant
from taae.training.distributed import SINGLE_PROCESS, Processes
from taae.training.history import Progress
from taae.training.losses import ReconstructionLoss, Terms, WavLMLoss, weighted_sum, weights
from taae.training.optimizer import Optimisation, averaged
from taae.utils.precision import autocast

VALIDATION_SEGMENTS = 16
PHASES = ("data", "generator", "discriminator", "optimiser")


class StepTimer:
    """Seconds spent in each phase of the steps.

    data: waiting for segments of the corpus, which a thread fetches, and copying to the device.
    generator: passes of the codec, and of all loss terms without the discriminator.
    discriminator: its passes, for its own loss and for the codec's loss.
    optimiser: clipping, updates, averaged weights.

    Attributes:
        now: a clock in seconds; on a GPU it should wait until the GPU has finished its work.
    """

    def __init__(self) -> None:
        self.now = time.perf_counter
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._phase, self._since = "", 0.0

    def __call__(self, phase: str) -> None:
        """Count the time from here on as that of a phase; of none where it is empty."""
        now = self.now()
        if self._phase:
            self.seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now


class Trainer:
    """The codec, its average, its adversary and its data.

    Each of several `processes` has a trainer, and all take each step together.
    """

    def __init__(
        self,
        variant: Variant,
        seed: int,
        corpus: Path,
        device: torch.device,
        processes: Processes = SINGLE_PROCESS,
    ) -> None:
        training = variant.training
        self.variant, self.seed, self.device = variant, seed, device
        self.processes = processes
        split, share = Split.open(corpus, "train"), (processes.rank, processes.world_size)
        samples, size = variant.segment_samples, training.batch
        self.batches = segments.Prefetcher(
            lambda step: segments.batch(split, samples, size, seed, step, share)
        )
        self.codec = Codec(variant.codec).to(device)
        assert isinstance(self.codec.quantizer, FSQ)
        self.quantizer = self.codec.quantizer
        self.quantizer.parts = training.parts
        self.average: AveragedModel = averaged(self.codec, training.ema)
        change_layers(self.codec, training)
        self.optimisation = Optimisation(self.codec, training)
        self.reconstruction = ReconstructionLoss(training.loss).to(device)
        self.adversary = self.wavlm_loss = None
        if training.discriminator.share:
            self.adversary = Adversary(training, seed, device)
        if training.perceptual.share:
            self.wavlm_loss = WavLMLoss(training.perceptual).to(device)
        self.stateful: dict[str, nn.Module | Optimisation] = {
            "codec": self.codec,
            "average": self.average,
            "optimisation": self.optimisation,
        }
        if self.adversary:
            self.stateful["discriminator"] = self.adversary.network
            self.stateful["discriminator optimisation"] = self.adversary.optimisation
        held_out = Split.open(corpus, "validation")
        self.validation = segments.fixed(held_out, samples, VALIDATION_SEGMENTS)
        self.progress = Progress()
        self.timer = StepTimer()

    def begin_with(self, trunk: Codec) -> None:
        """Take up a trunk's weights before the first step, for the codec and its average."""
        weights = trunk.state_dict()
        self.codec.load_state_dict(weights)
        self.average.module.load_state_dict(weights)

    def step(self) -> None:
        """Step every optimiser, or none where a loss or a gradient is not finite."""
        training, progress = self.variant.training, self.progress
        self.timer("data")
        wave = self.batches(progress.step).to(self.device)
        self.timer("generator")
        self.codec.train()
        first = self.processes.rank * training.accumulate
        parts = [
            self._forward_backward(part, number)
            for number, part in enumerate(wave.chunk(training.accumulate), start=first)
        ]
        sums = torch.stack([torch.stack(list(part.values())) for part in parts]).sum(0)
        self.timer("optimiser")
        self.processes.all_reduce_sum([sums])
        terms = dict(zip(parts[0], sums / training.parts, strict=True))
        playing = [self.optimisation]
        if self.adversary and "discriminator" in terms:
            playing.append(self.adversary.optimisation)
        for optimisation in playing:
            self.processes.all_reduce_sum(optimisation.gradients())
        norms = [optimisation.clip_gradients() for optimisation in playing]
        if torch.stack([*terms.values(), *norms]).isfinite().all():
            for optimisation in playing:
                optimisation.step()
            self.average.update_parameters(self.codec)
            progress.losses.append(terms)
            progress.streak = 0
        else:
            progress.skipped += 1
            progress.streak += 1
        for optimisation in playing:
            optimisation.clear()
        progress.step += 1
        self.timer("")

    def _forward_backward(self, wave: Tensor, number: int) -> Terms:
        """Run a part of the batch forward and backward; gradients add up in both networks.

        All random numbers depend on (seed, step), so that a resumed training repeats them without
        a saved state of any generator, and on the place of the segments in the batch, so that the
        number of parts does not matter.

        The codec runs once. All losses are computed from a detached copy of its output, which
        collects their gradients; these then pass through the codec at once. So neither network is
        ever trained by the loss of the other.
        """
        torch.manual_seed((self.seed << 32) + self.progress.step + 1)
        self._draw_window()
        self.quantizer.part.fill_(number)
        with self._autocast():
            decoded = self.codec(wave)
        copy = decoded.detach().float().requires_grad_()
        terms = self._losses(copy, wave)
        assert copy.grad is not None
        decoded.backward(copy.grad.to(decoded.dtype))
        return terms

    def _draw_window(self) -> None:
        """Have the codec see a window drawn from the variant's random windows, if it has any."""
        windows = self.variant.attention.random_windows
        if windows:
            draw = np.random.default_rng([self.seed, self.progress.step, 2])
            window = windows[int(draw.integers(len(windows)))]
            for layer in self.codec.modules():
                if isinstance(layer, SelfAttention):
                    layer.look(window)

    def _losses(self, decoded: Tensor, target: Tensor) -> Terms:
        """Return the terms; the codec's gradient goes to `decoded`, the adversary's to its weights.

        Both come from the same pass of the discriminator.
        """
        training, step = self.variant.training, self.progress.step
        terms: Terms = self.reconstruction(decoded, target)
        adversary = self.adversary if self.adversary and step >= self.adversary.start else None
        with self._autocast():
            if adversary:
                self.timer("discriminator")
                terms |= adversary.terms(decoded, target, step)
                self.timer("generator")
            if self.wavlm_loss and step >= training.first_step(training.perceptual.share):
                terms["perceptual"] = self.wavlm_loss(decoded, target)
        share = 1 / training.parts
        loss = share * weighted_sum(terms, weights(training.loss, step))
        if adversary:
            self.timer("discriminator")
        loss.backward(inputs=[decoded], retain_graph=adversary is not None)
        if adversary:
            own = list(adversary.network.parameters())
            (share * terms["discriminator"]).backward(inputs=own)
        self.timer("generator")
        return {name: term.detach() for name, term in terms.items()}

    def _autocast(self) -> torch.autocast:
        return autocast(self.variant.training.precision, self.device.type)

    def validate(self) -> Terms:
        """Return the terms of the averaged codec on the validation segments.

        As many at a time as in training, so that they fit the memory.
        """
        codec, training = self.average.eval(), self.variant.training
        sums: Terms = {}
        with torch.inference_mode():
            for wave in self.validation.split(training.batch // training.parts):
                wave = wave.to(self.device)
                with self._autocast():
                    decoded = codec(wave)
                for name, term in self.reconstruction(decoded.float(), wave).items():
                    sums[name] = sums.get(name, 0) + len(wave) * term
        return {name: total / len(self.validation) for name, total in sums.items()}

    def state(self) -> dict[str, Any]:
        """Return all that the rest of the training depends on."""
        parts = {name: part.state_dict() for name, part in self.stateful.items()}
        return {"progress": vars(self.progress), **parts}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state, to go on as if the training had never stopped."""
        self.progress = Progress(**state["progress"])
        self.progress.resumptions += 1
        self.progress.losses = [
            {name: term.to(self.device) for name, term in terms.items()}
            for terms in self.progress.losses
        ]
        for name, part in self.stateful.items():
            part.load_state_dict(state[name])


def change_layers(codec: Codec, training: Training) -> None:
    """Compile each layer, or let it compute its activations again in the backward pass, or both.

    Neither changes the names of the weights. Layers of a shape share the compiled code, which takes
    half a minute; the whole codec as one graph took minutes on two cores, and was no faster.
    """
    layers: list[nn.Module] = [x for x in codec.modules() if isinstance(x, (Layer, ResidualUnit))]
    for layer in layers:
        if training.compile:  # first: torch does not look into a checkpoint
            layer.forward = torch.compile(layer.forward, dynamic=False)
        if training.checkpointing:
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
