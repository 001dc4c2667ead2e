"""Training of one variant with one seed, from a corpus to a model folder."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from taae.codec import Codec, CodecConfig, build
from taae.corpus.store import Split
from taae.errors import TaaeError
from taae.files import write_csv, write_json
from taae.progress import log
from taae.provenance import provenance
from taae.sources import sources
from taae.study import Variant, digest
from taae.training import checkpoint, segments
from taae.training.objective import Reconstruction
from taae.training.optimisation import Optimisation, averaged

VALIDATION_SEGMENTS = 16
LOG_EVERY = 20  # steps between the training rows of the history
Row = dict[str, float | str]


class Interrupted(Exception):
    """The training was told to stop; its state is saved and the same command goes on."""


@dataclass
class Progress:
    """Where a training stands."""

    step: int = 0
    seconds: float = 0.0
    history: list[Row] = field(default_factory=list)


def train(
    variant: Variant,
    seed: int,
    corpus: Path,
    output: Path,
    state: Path,
    checkpoint_every: float = 60.0,
) -> None:
    """Train and write model.safetensors, config.json, history.csv and provenance.json to `output`.

    Args:
        variant: what to train.
        seed: fixes the initial weights, the data order and the bottleneck's noise.
        corpus: folder that the corpus stage wrote.
        output: the model folder.
        state: folder for training states; a training of the same variant, seed, corpus and
            code that was stopped goes on from there, any other ignores it. Removed at the end.
        checkpoint_every: seconds between saves of the state.

    Raises:
        Interrupted: on SIGTERM or SIGINT, after the state was saved.
    """
    torch.set_num_threads(variant.training.threads)
    device = _device(variant)
    torch.manual_seed(seed)
    trainer = Trainer(variant, seed, corpus, device)
    identity = json.loads((corpus / "corpus.json").read_text(encoding="utf-8"))["sha256"]
    # The code is part of it: half a training with an objective that was edited since is none.
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sources("training/loop")))
    key = digest(variant, {"seed": seed, "corpus": identity, "code": code.hexdigest()})
    folder = state / key[:16]
    saved = checkpoint.load(folder)
    if saved is not None:
        trainer.restore(saved)
        log(f"resuming at step {trainer.progress.step} from {folder}")

    last_save = time.monotonic()
    with _stop_signals() as stopped:
        for _ in trainer.run():
            due = time.monotonic() - last_save > checkpoint_every
            if due or stopped:
                checkpoint.save(trainer.state(), trainer.progress.step, folder)
                last_save = time.monotonic()
            if stopped:
                raise Interrupted(
                    f"stopped at step {trainer.progress.step}; run the same command to go on"
                )

    codec = trainer.average.module
    assert isinstance(codec, Codec)
    codec.cpu().eval().save_pretrained(output)
    write_csv(pd.DataFrame(trainer.progress.history), output / "history.csv")
    details = {
        "training": key,
        "variant": variant,
        "seed": seed,
        "corpus": identity,
        "parameters": sum(weight.numel() for weight in codec.parameters()),
        "seconds": round(trainer.progress.seconds, 1),
    }
    write_json(provenance(device, details), output / "provenance.json")
    for old in folder.glob("*"):
        old.unlink()
    if folder.is_dir():
        folder.rmdir()


class Trainer:
    """The model, its average, its optimisers and its data; `run` takes one step per item."""

    def __init__(self, variant: Variant, seed: int, corpus: Path, device: torch.device) -> None:
        self.variant, self.seed, self.device = variant, seed, device
        self.data = Split.open(corpus, "train")
        self.codec = build(CodecConfig.of(variant)).to(device)
        self.average: AveragedModel = averaged(self.codec, variant.training.ema)
        self.objective = Reconstruction(variant.training.loss).to(device)
        self.optimisation = Optimisation(self.codec, variant.training)
        self.validation = segments.fixed(
            Split.open(corpus, "validation"), variant.segment_samples, VALIDATION_SEGMENTS
        )
        self.progress = Progress()
        self._losses: list[dict[str, Tensor]] = []

    def run(self) -> Iterator[None]:
        """Train to the last step, yielding after each one."""
        total = self.variant.training.steps
        started, begun = time.monotonic() - self.progress.seconds, self.progress.step
        session = time.monotonic()
        while self.progress.step < total:
            self._step()
            self.progress.step += 1
            step = self.progress.step
            self.progress.seconds = time.monotonic() - started
            if step % LOG_EVERY == 0 or step == total:
                self._record_training()
            if step % self.variant.training.validate_every == 0 or step == total:
                self._record_validation()
                spent = time.monotonic() - session
                left = spent / (step - begun) * (total - step)
                loss = self.progress.history[-1]["loss"]
                log(
                    f"step {step}/{total}, validation loss {loss:.4f},"
                    f" {self.progress.seconds:.0f} s, about {left:.0f} s left"
                )
            yield

    def _step(self) -> None:
        training, step = self.variant.training, self.progress.step
        wave = segments.batch(
            self.data, self.variant.segment_samples, training.batch, self.seed, step
        ).to(self.device)
        # Everything random in a step depends on (seed, step), so that a resumed training
        # repeats it without having to save the state of any generator.
        torch.manual_seed((self.seed << 32) + step + 1)
        self.codec.train()
        with self._autocast():
            decoded = self.codec(wave)
        terms = self.objective(decoded.float(), wave)
        terms["loss"].backward()
        self.optimisation.step()
        self.average.update_parameters(self.codec)
        self._losses.append({name: term.detach() for name, term in terms.items()})

    def _autocast(self) -> torch.autocast:
        enabled = self.variant.training.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def _record_training(self) -> None:
        names = self._losses[0]
        means = {
            name: float(torch.stack([terms[name] for terms in self._losses]).mean())
            for name in names
        }
        self._losses.clear()
        self._record("train", means)

    def _record_validation(self) -> None:
        codec = self.average.eval()
        with torch.inference_mode():
            wave = self.validation.to(self.device)
            with self._autocast():
                decoded = codec(wave)
            terms = self.objective(decoded.float(), wave)
        self._record("validation", {name: float(term) for name, term in terms.items()})

    def _record(self, split: str, terms: dict[str, float]) -> None:
        self.progress.history.append(
            {
                "step": self.progress.step,
                "seconds": round(self.progress.seconds, 2),
                "split": split,
                **terms,
                "learning_rate": self.optimisation.learning_rate,
            }
        )

    def state(self) -> dict[str, Any]:
        """Return all that the rest of the training depends on."""
        return {
            "step": self.progress.step,
            "seconds": self.progress.seconds,
            "history": self.progress.history,
            "losses": self._losses,
            "codec": self.codec.state_dict(),
            "average": self.average.state_dict(),
            "optimisation": self.optimisation.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state, to go on as if the training had never stopped."""
        self.progress = Progress(state["step"], state["seconds"], state["history"])
        self._losses = state["losses"]
        self.codec.load_state_dict(state["codec"])
        self.average.load_state_dict(state["average"])
        self.optimisation.load_state_dict(state["optimisation"])


def _device(variant: Variant) -> torch.device:
    if not variant.training.gpus:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise TaaeError(
            f"training.gpus: {variant.training.gpus}, but no GPU is visible here;"
            " set training.gpus to 0 to train on the CPU"
        )
    return torch.device("cuda")


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT in a list instead of dying in the middle of a step."""
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)

    old = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
