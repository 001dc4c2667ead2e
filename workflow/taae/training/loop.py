"""Training of one variant with one seed, from a corpus to a model folder."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

import pandas as pd
import torch

from taae.codec import Codec
from taae.errors import TaaeError
from taae.files import write_csv, write_json
from taae.progress import log
from taae.provenance import provenance
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

    Raises:
        Interrupted: on SIGTERM or SIGINT, after the state was saved.
        TaaeError: the training diverged, or does not fit the memory; the state is kept.
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

    try:
        _run(trainer, folder, state / "tensorboard", checkpoint_every)
    except Diverged as error:
        kept = checkpoint.save(trainer.state(), trainer.progress.step, folder)
        raise TaaeError(
            f"{error}; the last good weights are in {kept}. Make training.learning_rate smaller or"
            " set training.precision to float32, and train again"
        ) from error

    codec = trainer.average.module
    assert isinstance(codec, Codec)
    codec.cpu().eval().save_pretrained(output)
    write_csv(pd.DataFrame(trainer.progress.history, columns=COLUMNS), output / "history.csv")
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


def _run(trainer: Trainer, folder: Path, events: Path, checkpoint_every: float) -> None:
    """Take the steps that are left, saving the state to `folder`, and logging to `events`."""
    last_save = time.monotonic()
    charts = Events(events, trainer.progress.history)
    with _stop_signals() as stopped, closing(charts):
        for _ in trainer.run():
            charts.update()
            due = time.monotonic() - last_save > checkpoint_every
            if due or stopped:
                checkpoint.save(trainer.state(), trainer.progress.step, folder)
                last_save = time.monotonic()
            if stopped:
                raise Interrupted(
                    f"stopped at step {trainer.progress.step}; run the same command to go on"
                )


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
