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

from taae.codec.codec import Codec
from taae.corpus.store import identity_of
from taae.training import checkpoint
from taae.training.config import Variant
from taae.training.distributed import SINGLE_PROCESS, Processes
from taae.training.history import COLUMNS, EventFiles
from taae.training.kept import is_kept, keep, restore_model
from taae.training.out_of_memory import explain_model_out_of_memory
from taae.training.trainer import Diverged, Trainer
from taae.utils.errors import TaaeError
from taae.utils.files import write_csv, write_json
from taae.utils.fingerprint import digest, sources
from taae.utils.huggingface import weights_identity
from taae.utils.log import log
from taae.utils.precision import resolve
from taae.utils.provenance import libraries, provenance


class Interrupted(Exception):
    """The training was told to stop; its state is saved and the same command goes on."""


def train(
    variant: Variant,
    seed: int,
    corpus: Path,
    output: Path,
    state: Path,
    checkpoint_every: float = 60.0,
    deadline: float = math.inf,
    device: str = "cpu",
    processes: Processes = SINGLE_PROCESS,
    kept: Path | None = None,
) -> None:
    """Train and write model.safetensors, config.json, history.csv and provenance.json to `output`.

    Each process of a training calls it; the main one writes.

    Args:
        variant: what to train.
        seed: fixes the initial weights, the data order and the bottleneck's noise.
        corpus: folder that `taae corpus` wrote.
        output: the model folder.
        state: folder for training states. A stopped training of the same variant, seed, corpus
            and code goes on from there; any other ignores it. Removed at the end, except its
            folder tensorboard.
        checkpoint_every: seconds between saves of the state.
        deadline: value of `time.monotonic` after which to save and stop, at the end of the step.
        device: cpu or cuda; see `taae.utils.gpus.compute`.
        processes: this process among all of the training.
        kept: folder of finished models of this variant and seed. One with the same variant, seed,
            corpus and code is taken from there instead of a training; a new one is added.

    Raises:
        Interrupted: on a signal of `stop_signals` or past the deadline, after the state was saved.
        TaaeError: the training diverged, or does not fit the memory; the state is kept.
    """
    torch.set_num_threads(variant.training.threads)
    torch.manual_seed(seed)
    identity = identity_of(corpus)
    key = _key(variant, seed, identity)
    found = processes.is_main and kept is not None and is_kept(kept, key)
    if processes.all_reduce_any([found])[0]:
        if processes.is_main and kept is not None:
            restore_model(kept, key, output)
            log(f"this model was trained before: taken from {kept}, which keeps finished models")
        return
    folder = state / key[:16]
    with explain_model_out_of_memory(variant, torch.device(device)):
        trainer = Trainer(variant, seed, corpus, torch.device(device), processes)
        saved = checkpoint.load(folder)
        if saved is not None:
            trainer.restore(saved)
    if not processes.all_equal(trainer.progress.step):
        raise TaaeError(
            f"{state}: not the same for all processes of this training; it has to be on a file"
            " system that all nodes share"
        )
    if saved is not None:
        log(f"resuming at step {trainer.progress.step} from {folder}")
    del saved  # it is as large as the training itself

    try:
        _run(trainer, folder, state / "tensorboard", checkpoint_every, deadline)
    except Diverged as error:
        _save_last(trainer, folder)
        raise TaaeError(
            f"{error}; the last good weights are in {folder}. Make training.learning_rate"
            " smaller or set training.precision to float32, and train again"
        ) from error

    computed = torch.tensor([trainer.progress.cpu_seconds], dtype=torch.float64)
    processes.all_reduce_sum([computed])
    if not processes.is_main:
        return
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
        "cpu_seconds": round(computed.item(), 1),
        "precision": resolve(variant.training.precision, device),
        "gpus": variant.training.all_gpus,
        "gpu_hours": round(variant.training.all_gpus * progress.seconds / 3600, 5),
        "resumptions": progress.resumptions,
    }
    write_json(provenance(trainer.device, details), output / "provenance.json")
    if kept is not None:
        keep(output, kept)
    checkpoint.clear(state)


def _key(variant: Variant, seed: int, corpus: str) -> str:
    """Return the digest of everything that determines a training: only its own state fits it."""
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sources("training/train")))
    rest = {"seed": seed, "corpus": corpus, "code": code.hexdigest(), "libraries": libraries()}
    if variant.training.perceptual.share:
        rest["perceptual"] = weights_identity(variant.training.perceptual.weights)
    return digest(variant, rest)


def _run(
    trainer: Trainer, folder: Path, events: Path, checkpoint_every: float, deadline: float
) -> None:
    """Take the remaining steps; save the state to `folder` and log to `events` on the way."""
    last_save = time.monotonic()
    processes = trainer.processes
    event_files = EventFiles(events if processes.is_main else None, trainer.progress.history)
    with stop_signals() as received, closing(event_files):
        for _ in trainer.run():
            event_files.update()
            stop, late = processes.all_reduce_any([bool(received), time.monotonic() > deadline])
            if stop or late:
                _save_last(trainer, folder)
                why = "stopped" if stop else "the time budget is used up"
                step = trainer.progress.step
                raise Interrupted(f"{why} at step {step}; run the same command to go on")
            done = trainer.progress.step == trainer.variant.training.steps
            if done or time.monotonic() - last_save > checkpoint_every:
                _save(trainer, folder)  # at the end too: writing the outputs may yet fail
                last_save = time.monotonic()


def _save(trainer: Trainer, folder: Path) -> None:
    """Save the state, which is the same in all processes."""
    if trainer.processes.is_main:
        checkpoint.save(trainer.state(), trainer.progress.step, folder)


def _save_last(trainer: Trainer, folder: Path) -> None:
    """Save the state at the end; all processes wait for it, since one that ends may end all."""
    _save(trainer, folder)
    trainer.processes.all_equal(trainer.progress.step)


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect signals to stop in a list instead of dying in the middle of a step.

    SIGUSR1 is one of them: unlike the others, srun hands it on to its processes.
    """
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)

    stops = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    old = {number: signal.signal(number, note) for number in stops}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
