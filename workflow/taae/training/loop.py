"""Training of one variant with one seed, from a corpus to a model folder."""

from __future__ import annotations

import hashlib
import math
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

import pandas as pd
import torch

from taae.codec import Codec
from taae.corpus.store import identity_of
from taae.errors import TaaeError
from taae.files import write_csv, write_json
from taae.progress import log
from taae.provenance import libraries, provenance
from taae.sources import sources
from taae.study import Variant, digest
from taae.training import checkpoint
from taae.training.events import Events
from taae.training.record import COLUMNS
from taae.training.trainer import Diverged, Trainer


class Interrupted(Exception):
    """The training was told to stop; its state is saved and the same command goes on."""


def train(
    variant: Variant,
    seed: int,
    corpus: Path,
    output: Path,
    state: Path,
    checkpoint_every: float = 60.0,
    time_budget: float = math.inf,
    device: str = "cpu",
) -> None:
    """Train and write model.safetensors, config.json, history.csv and provenance.json to `output`.

    Args:
        variant: what to train.
        seed: fixes the initial weights, the data order and the bottleneck's noise.
        corpus: folder that the corpus stage wrote.
        output: the model folder.
        state: folder for training states; a training of the same variant, seed, corpus and
            code that was stopped goes on from there, any other ignores it. Removed at the end,
            but for its folder tensorboard.
        checkpoint_every: seconds between saves of the state.
        time_budget: seconds after which to save and stop, at the end of the step.
        device: cpu or cuda; see `taae.devices.compute`.

    Raises:
        Interrupted: on SIGTERM or SIGINT or at the end of the budget, after the state was saved.
        TaaeError: the training diverged, or does not fit the memory; the state is kept.
    """
    deadline = time.monotonic() + time_budget
    torch.set_num_threads(variant.training.threads)
    torch.manual_seed(seed)
    trainer = Trainer(variant, seed, corpus, torch.device(device))
    identity = identity_of(corpus)
    key = _key(variant, seed, identity)
    folder = state / key[:16]
    saved = checkpoint.load(folder)
    if saved is not None:
        trainer.restore(saved)
        log(f"resuming at step {trainer.progress.step} from {folder}")

    try:
        _run(trainer, folder, state / "tensorboard", checkpoint_every, deadline)
    except Diverged as error:
        kept = checkpoint.save(trainer.state(), trainer.progress.step, folder)
        raise TaaeError(
            f"{error}; the last good weights are in {kept}. Make training.learning_rate smaller or"
            " set training.precision to float32, and train again"
        ) from error

    codec = trainer.average.module
    assert isinstance(codec, Codec)
    codec.cpu().eval().save_pretrained(output)
    progress = trainer.progress
    write_csv(pd.DataFrame(progress.history, columns=COLUMNS), output / "history.csv")
    details = {
        "training": key,
        "variant": variant,
        "config_sha256": digest(variant),
        "seed": seed,
        "corpus": identity,
        "parameters": sum(weight.numel() for weight in codec.parameters()),
        "seconds": round(progress.seconds, 1),
        "cpu_seconds": round(progress.cpu_seconds, 1),
        "gpus": variant.training.gpus,
        "gpu_hours": round(variant.training.gpus * progress.seconds / 3600, 5),
        "resumptions": progress.resumptions,
    }
    write_json(provenance(trainer.device, details), output / "provenance.json")
    checkpoint.clear(state)


def _key(variant: Variant, seed: int, corpus: str) -> str:
    """Return the digest of all that determines a training, so that no other's state is taken."""
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sources("training/loop")))
    rest = {"seed": seed, "corpus": corpus, "code": code.hexdigest(), "libraries": libraries()}
    return digest(variant, rest)


def _run(
    trainer: Trainer, folder: Path, events: Path, checkpoint_every: float, deadline: float
) -> None:
    """Take the steps that are left, saving the state to `folder`, and logging to `events`."""
    last_save = time.monotonic()
    charts = Events(events, trainer.progress.history)
    with _stop_signals() as stopped, closing(charts):
        for _ in trainer.run():
            charts.update()
            now, step = time.monotonic(), trainer.progress.step
            late = now > deadline
            done = step == trainer.variant.training.steps  # the outputs may yet fail
            if stopped or late or done or now - last_save > checkpoint_every:
                checkpoint.save(trainer.state(), step, folder)
                last_save = time.monotonic()
            if stopped or late:
                why = "stopped" if stopped else "the time budget is used up"
                raise Interrupted(f"{why} at step {step}; run the same command to go on")


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
