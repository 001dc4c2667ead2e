"""One training: its networks, and how a step changes them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

from taae.codec.codec import Codec
from taae.codec.conv import ResidualUnit
from taae.codec.fsq import FSQ
from taae.codec.taae import Layer
from taae.corpus.store import Split
from taae.training import segments
from taae.training.adversarial import Adversary
from taae.training.config import Variant
from taae.training.distributed import SINGLE_PROCESS, Processes
from taae.training.history import Progress
from taae.training.losses import ReconstructionLoss, Terms, weighted_sum, weights
from taae.training.optimizer import Optimisation, averaged
from taae.training.out_of_memory import explain_batch_out_of_memory
from taae.training.phases import Phases
from taae.utils.errors import TaaeError
from taae.utils.log import log
from taae.utils.precision import autocast

VALIDATION_SEGMENTS = 16
LOG_EVERY = 20  # steps between the training rows of the history


class Diverged(TaaeError):
    """Too many steps in a row gave no finite loss or gradient."""


class Trainer:
    """The codec, its average, its adversary and its data; `run` takes one step per item.

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
        self.gpu = torch.cuda.current_device() if device.type == "cuda" else None
        self.processes = processes
        self.batches = segments.Prefetcher(partial(self._batch, Split.open(corpus, "train")))
        self.codec = Codec(variant.codec).to(device)
        assert isinstance(self.codec.quantizer, FSQ)
        self.quantizer = self.codec.quantizer
        self.quantizer.parts = training.parts
        self.average: AveragedModel = averaged(self.codec, training.ema)
        if training.compile:
            compile_layers(self.codec)
        if training.checkpointing:
            recompute_layers(self.codec)
        self.optimisation = Optimisation(self.codec, training)
        self.reconstruction = ReconstructionLoss(training.loss).to(device)
        self.adversary: Adversary | None = None
        if training.discriminator.share:
            self.adversary = Adversary(training, seed, device)
        self.wavlm_loss: nn.Module | None = None
        self.wavlm_start = training.start(training.perceptual.share)
        if training.perceptual.share:
            from taae.training.wavlm import WavLMLoss

            self.wavlm_loss = WavLMLoss(training.perceptual).to(device)
        self.validation = segments.fixed(
            Split.open(corpus, "validation"), variant.segment_samples, VALIDATION_SEGMENTS
        )
        self.progress = Progress()
        self.phase = Phases()

    def run(self) -> Iterator[None]:
        """Train to the last step, yielding after each one.

        Raises:
            Diverged: after `training.max_skipped` skipped steps in a row.
        """
        training, progress = self.variant.training, self.progress
        started, begun, before = time.monotonic(), progress.step, progress.seconds
        computed = time.process_time() - progress.cpu_seconds
        while progress.step < training.steps:
            with explain_batch_out_of_memory(self.variant, self.device):
                self._step()
            progress.step += 1
            spent = time.monotonic() - started
            progress.seconds = before + spent
            progress.cpu_seconds = time.process_time() - computed
            loss = self._record()
            if progress.streak >= training.max_skipped:
                raise Diverged(
                    f"training diverged: the last {progress.streak} steps, up to step"
                    f" {progress.step}, gave no finite loss or gradient"
                )
            if loss is not None:
                left = spent / (progress.step - begun) * (training.steps - progress.step)
                log(
                    f"step {progress.step}/{training.steps}, validation loss {loss:.4f},"
                    f" {progress.seconds:.0f} s, about {left:.0f} s left"
                )
            yield

    def _step(self) -> None:
        training = self.variant.training
        with self.phase("data"):
            wave = self.batches(self.progress.step).to(self.device, non_blocking=True)
        self.codec.train()
        first = self.processes.rank * training.accumulate
        with self.phase("generator"):
            parts = [
                self._forward_backward(part, number)
                for number, part in enumerate(wave.chunk(training.accumulate), start=first)
            ]
            sums = torch.stack([torch.stack(list(part.values())) for part in parts]).sum(0)
        with self.phase("optimiser"):
            self.processes.all_reduce_sum([sums])
            self._update(dict(zip(parts[0], sums / training.parts, strict=True)))

    def _batch(self, split: Split, step: int) -> Tensor:
        """Return this process's segments of a step, in memory that a GPU copies from by itself."""
        size, share = self.variant.training.batch, (self.processes.rank, self.processes.world_size)
        wave = segments.batch(split, self.variant.segment_samples, size, self.seed, step, share)
        if self.device.type != "cuda":
            return wave
        with torch.cuda.device(self.gpu):  # a thread starts with the first one
            return wave.pin_memory()

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
        self.quantizer.part.fill_(number)
        with self._autocast():
            decoded = self.codec(wave)
        copy = decoded.detach().float().requires_grad_()
        terms = self._losses(copy, wave)
        assert copy.grad is not None
        decoded.backward(copy.grad.to(decoded.dtype))
        return terms

    def _losses(self, decoded: Tensor, target: Tensor) -> Terms:
        """Return the terms; the codec's gradient goes to `decoded`, the adversary's to its weights.

        Both come from the same pass of the discriminator.
        """
        training, step = self.variant.training, self.progress.step
        terms: Terms = self.reconstruction(decoded, target)
        adversary = self.adversary if self.adversary and step >= self.adversary.start else None
        with self._autocast():
            if adversary:
                with self.phase("discriminator"):
                    terms |= adversary.terms(decoded, target, step)
            if self.wavlm_loss and step >= self.wavlm_start:
                terms["perceptual"] = self.wavlm_loss(decoded, target)
        share = 1 / training.parts
        loss = share * weighted_sum(terms, weights(training.loss, step))
        with self.phase("discriminator" if adversary else "generator"):
            loss.backward(inputs=[decoded], retain_graph=adversary is not None)
            if adversary:
                own = list(adversary.network.parameters())
                (share * terms["discriminator"]).backward(inputs=own)
        return {name: term.detach() for name, term in terms.items()}

    def _update(self, terms: Terms) -> None:
        """Step every optimiser, or none where a loss or a gradient is not finite."""
        playing = [self.optimisation]
        if "discriminator" in terms and self.adversary:
            playing.append(self.adversary.optimisation)
        for optimisation in playing:
            self.processes.all_reduce_sum(optimisation.gradients())
        norms = [optimisation.clip_gradients() for optimisation in playing]
        if torch.stack([*terms.values(), *norms]).isfinite().all():
            for optimisation in playing:
                optimisation.step()
            self.average.update_parameters(self.codec)
            self.progress.note_step(terms)
        else:
            for optimisation in playing:
                optimisation.clear()
            self.progress.note_skipped()

    def _autocast(self) -> torch.autocast:
        return autocast(self.variant.training.precision, self.device.type)

    def _record(self) -> float | None:
        """Add rows to the history where they are due; return the validation loss if it was."""
        training, progress = self.variant.training, self.progress
        step, rate, last = progress.step, self.optimisation.learning_rate, training.steps
        weight = weights(training.loss, step)
        if step % LOG_EVERY == 0 or step == last:
            progress.add_training_row(weight, rate)
        due = step % training.validate_every == 0 or step == last
        if due and self.processes.is_main:
            return progress.add_row("validation", self._validate(), weight, rate)
        return None

    def _validate(self) -> Terms:
        """Return the terms of the averaged codec on the validation segments.

        As many at a time as in training, so that they fit the memory.
        """
        codec, training = self.average.eval(), self.variant.training
        sums: Terms = {}
        with torch.inference_mode(), explain_batch_out_of_memory(self.variant, self.device):
            for wave in self.validation.split(training.batch // training.parts):
                wave = wave.to(self.device)
                with self._autocast():
                    decoded = codec(wave)
                for name, term in self.reconstruction(decoded.float(), wave).items():
                    sums[name] = sums.get(name, 0) + len(wave) * term
        return {name: total / len(self.validation) for name, total in sums.items()}

    def state(self) -> dict[str, Any]:
        """Return all that the rest of the training depends on."""
        return {
            "progress": vars(self.progress),
            "codec": self.codec.state_dict(),
            "average": self.average.state_dict(),
            "optimisation": self.optimisation.state_dict(),
            "adversary": self.adversary and self.adversary.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state, to go on as if the training had never stopped."""
        self.progress = Progress(**state["progress"])
        self.progress.resumptions += 1
        self.progress.losses = [
            {name: term.to(self.device) for name, term in terms.items()}
            for terms in self.progress.losses
        ]
        self.codec.load_state_dict(state["codec"])
        self.average.load_state_dict(state["average"])
        self.optimisation.load_state_dict(state["optimisation"])
        if self.adversary:
            self.adversary.load_state_dict(state["adversary"])


def recompute_layers(codec: Codec) -> None:
    """Let each layer keep only its input and compute the rest again (activation checkpointing).

    Results, gradients and the names of the weights do not change.
    """
    for layer in _layers(codec):
        again = partial(checkpoint, layer.forward, use_reentrant=False)
        layer.forward = again


def compile_layers(codec: Codec) -> None:
    """Let torch compile each layer: layers of a shape share the code, which takes half a minute.

    The whole codec as one graph took minutes on two cores, and was no faster. Compile layers before
    `recompute_layers`: torch does not look into a checkpoint.
    """
    for layer in _layers(codec):
        compiled = torch.compile(layer.forward, dynamic=False)
        layer.forward = compiled


def _layers(codec: Codec) -> Iterator[nn.Module]:
    return (module for module in codec.modules() if isinstance(module, (Layer, ResidualUnit)))
