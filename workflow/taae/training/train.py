"""Training of one variant with one seed, from a corpus to a model folder."""

from __future__ import annotations

import hashlib
import math
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from taae.codec.codec import Codec
from taae.codec.layer_geometry import parameter_count
from taae.corpus.store import identity_of
from taae.training import checkpoint
from taae.training.config import Variant
from taae.training.distributed import SINGLE_PROCESS, Interrupted, Processes, stop_signals
from taae.training.history import COLUMNS, EventFiles
from taae.training.kept import keep, restore_model
from taae.training.losses import weights
from taae.training.trainer import Trainer
from taae.training.trunk import load_trunk, weights_of
from taae.utils.errors import TaaeError
from taae.utils.files import write_csv, write_json
from taae.utils.fingerprint import digest, libraries, provenance, sources
from taae.utils.huggingface import weights_identity
from taae.utils.log import log
from taae.utils.memory import explain_out_of_memory
from taae.utils.object_storage import ObjectFolder
from taae.utils.precision import resolve

LOG_EVERY = 20  # steps between the training rows of the history


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
    trunk: Path | None = None,
    state_storage: str | None = None,
    kept_storage: str | None = None,
) -> None:
    """Train and write model.safetensors, config.json, history.csv and provenance.json to `output`.

    Each process of a training calls it; the main one writes.

    Args:
        seed: fixes the initial weights, the data order and the bottleneck's noise.
        corpus: folder that `taae corpus` wrote.
        state: folder for training states. A stopped training of the same variant, seed, corpus
            and code goes on from there; any other ignores it. Removed at the end, except its
            folder tensorboard.
        checkpoint_every: seconds between saves of the state.
        deadline: value of `time.monotonic` after which to save and stop, at the end of the step.
        device: cpu or cuda; see `taae.utils.gpus.compute`.
        kept: folder of finished models of this variant and seed. One with the same variant, seed,
            corpus and code is taken from there instead of a training; a new one is added.
        trunk: model folder that a variant with `training.start: trunk` begins with.
        state_storage: URL of a folder of object storage (s3://...) that each saved state goes to
            as well, so that another machine goes on from there. Emptied at the end.
        kept_storage: the same for `kept`, never emptied.

    Raises:
        Interrupted: on a signal of `STOPS` or past the deadline, after the state was saved.
        TaaeError: the training diverged, or does not fit the memory; the state is kept. Or the
            trunk is missing, or another codec than the variant.
    """
    torch.set_num_threads(variant.training.threads)
    drawn = replicate_seed(seed, variant.training.replicate)
    torch.manual_seed(drawn)
    identity, begun = identity_of(corpus), weights_of(trunk, variant)
    precision = resolve(variant.training.precision, device)
    key = _key(variant, seed, identity, precision, begun)
    saved_states = ObjectFolder(state_storage) if state_storage else None
    models = ObjectFolder(kept_storage) if kept_storage else None
    found = processes.is_main and kept is not None and restore_model(kept, key, output, models)
    if processes.all_reduce_any([found])[0]:
        log(f"this model was trained before: taken from {kept}, which keeps finished models")
        return
    folder = state / key[:16]
    storage = saved_states / folder.name if saved_states else None
    training = variant.training
    count = parameter_count(variant.codec)
    what = (
        f"model: {count / 1e6:.1f}M parameters, their average and what else a training keeps, and"
        f" training.batch: {training.batch} segments of {training.segment:g} s in"
        f" {training.parts} part(s), of which each process computes one at a time,"
    )
    advice = (
        "Make training.batch smaller, training.accumulate larger, set training.checkpointing, or"
        " take a smaller model"
    )
    with explain_out_of_memory(what, advice, torch.device(device)):
        trainer = Trainer(variant, drawn, corpus, torch.device(device), processes)
        if trunk is not None and begun:
            trainer.begin_with(load_trunk(trunk, variant.codec))
        saved = checkpoint.load(folder, storage)
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
        _run(trainer, folder, state / "tensorboard", checkpoint_every, deadline, storage)
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
        "variant": asdict(variant),
        "config_sha256": digest(variant),
        "seed": seed,
        "corpus": identity,
        "start": begun or "scratch",
        "parameters": sum(weight.numel() for weight in codec.parameters()),
        "seconds": round(progress.seconds, 1),
        "cpu_seconds": round(computed.item(), 1),
        "precision": precision,
        "gpus": training.all_gpus,
        "gpu_hours": round(training.all_gpus * progress.seconds / 3600, 5),
        "resumptions": progress.resumptions,
    }
    write_json(provenance(device, details), output / "provenance.json")
    if kept is not None:
        keep(output, kept, models)
    checkpoint.clear(state, saved_states)


def replicate_seed(seed: int, replicate: int) -> int:
    """Return the seed of a replicate's draws: `seed` itself for number 0."""
    if not replicate:
        return seed
    return int(np.random.SeedSequence([seed, replicate]).generate_state(1)[0])


def _key(variant: Variant, seed: int, corpus: str, precision: str, start: str) -> str:
    """Return the digest of everything that determines a training: only its own state fits it."""
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sources("training/train")))
    rest = {"seed": seed, "corpus": corpus, "code": code.hexdigest(), "libraries": libraries()}
    if precision != variant.training.precision:  # what `auto` is on this machine
        rest["precision"] = precision
    if start:
        rest["start"] = start
    if variant.training.perceptual.share:
        rest["perceptual"] = weights_identity(variant.training.perceptual.weights)
    return digest(variant, rest)


def _run(
    trainer: Trainer,
    folder: Path,
    events: Path,
    checkpoint_every: float,
    deadline: float,
    storage: ObjectFolder | None,
) -> None:
    """Take the remaining steps; save the state to `folder` and log to `events` on the way."""
    training, progress, processes = trainer.variant.training, trainer.progress, trainer.processes
    begun, before, last_save = progress.step, progress.seconds, time.monotonic()
    started, computed = last_save - before, time.process_time() - progress.cpu_seconds
    save_seconds = 0.0
    event_files = EventFiles(events if processes.is_main else None)
    with stop_signals() as received, closing(event_files):
        while progress.step < training.steps:
            trainer.step()
            step, done = progress.step, progress.step == training.steps
            progress.seconds = time.monotonic() - started
            progress.cpu_seconds = time.process_time() - computed
            weight, rate = weights(training.loss, step), trainer.optimisation.learning_rate
            if done or step % LOG_EVERY == 0:
                progress.add_training_row(weight, rate)
            if processes.is_main and (done or step % training.validate_every == 0):
                row = progress.add_row("validation", trainer.validate(), weight, rate)
                left = (progress.seconds - before) / (step - begun) * (training.steps - step)
                log(
                    f"step {step}/{training.steps}, validation loss {row['loss']:.4f},"
                    f" {progress.seconds:.0f} s, about {left:.0f} s left"
                )
            event_files.update(progress.history)
            diverged = progress.streak >= training.max_skipped
            stop, late = processes.all_reduce_any([bool(received), time.monotonic() > deadline])
            # A state that takes long to upload is saved less often: for a twentieth of the time.
            pause = max(checkpoint_every, 20 * save_seconds if storage else 0.0)
            overdue = time.monotonic() - last_save > pause
            # At the end too: writing the outputs may yet fail.
            if processes.is_main and (done or diverged or stop or late or overdue):
                begun_save = time.monotonic()
                checkpoint.save(trainer.state(), step, folder, storage)
                last_save = time.monotonic()
                save_seconds = last_save - begun_save
            if diverged or stop or late:
                processes.all_equal(step)  # a process that ends may end all: not before the save
            if diverged:
                raise TaaeError(
                    f"training diverged: the last {progress.streak} steps, up to step {step}, gave"
                    f" no finite loss or gradient; the last good weights are in {folder}. Make"
                    " training.learning_rate smaller or set training.precision to float32, and"
                    " train again"
                )
            if stop or late:
                why = "stopped" if stop else "the time budget is used up"
                raise Interrupted(f"{why} at step {step}; run the same command to go on")
