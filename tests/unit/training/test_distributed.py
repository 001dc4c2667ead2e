"""Data-parallel training: two processes on the CPU against one with the same batch."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, distributed

from taae import cli
from taae.codec.fsq import FSQ
from taae.training import launch as launching
from taae.training import segments
from taae.training import train as loop
from taae.training.config import Variant
from taae.training.distributed import SINGLE_PROCESS, Processes
from taae.training.launch import launch, run
from taae.training.losses import Terms
from taae.training.optimizer import Optimisation
from taae.training.trainer import Trainer
from taae.utils.errors import TaaeError
from tests.unit.corpus.corpora import write_splits
from tests.unit.training.trainings import ADVERSARIAL, FakeSplit, tiny, tiny_config, weights

SETTINGS = {"batch": 4, "precision": "float32", "validate_every": 8}
CASES: dict[str, dict[str, Any]] = {
    "alone": {},
    "accumulate": {"accumulate": 2},
    "adversarial": {**ADVERSARIAL, "accumulate": 2},
    "skipped": {},
}


def case(name: str, processes: int) -> Variant:
    changes = {**SETTINGS, **CASES[name], "optimizer": "adamw", "learning_rate": 1e-3}
    return tiny({**changes, "processes": processes})


def break_steps(patch: pytest.MonkeyPatch, rank: int, *broken: int) -> None:
    """Let the gradients of some steps be not finite in one process."""
    losses = Trainer._losses

    def broken_losses(self: Trainer, decoded: Tensor, target: Tensor) -> Terms:
        terms = losses(self, decoded, target)
        if self.progress.step in broken and self.processes.rank == rank:
            assert decoded.grad is not None
            decoded.grad[0, 0] = torch.nan
        return terms

    patch.setattr(Trainer, "_losses", broken_losses)


def train_cases(
    corpus: Path, folder: Path, device: str, processes: Processes = SINGLE_PROCESS
) -> None:
    """Train every case; the history has a row for each step, norms.json the gradients' norms."""
    norms: dict[str, list[float]] = defaultdict(list)
    clip = Optimisation.clip_gradients

    def noted(self: Optimisation) -> Tensor:
        norm = clip(self)
        norms[name].append(norm.item())
        return norm

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "LOG_EVERY", 1)
        patch.setattr(Optimisation, "clip_gradients", noted)
        for name in CASES:
            if name == "skipped":
                break_steps(patch, processes.world_size - 1, 3)
            arguments = (corpus, folder / name, folder / "state")
            variant = case(name, processes.world_size)
            loop.train(variant, 1, *arguments, device=device, processes=processes)
        break_steps(patch, processes.world_size - 1, *range(5, 8))
        changes = {**SETTINGS, "processes": processes.world_size, "max_skipped": 3}
        name = "diverged"
        arguments = (corpus, folder / name, folder / "kept")
        with pytest.raises(TaaeError, match="last 3 steps, up to step 8"):
            loop.train(tiny(changes), 1, *arguments, device=device, processes=processes)
    if processes.is_main:
        (folder / "norms.json").write_text(json.dumps(norms))


def lack_memory(corpus: Path, folder: Path, device: str, processes: Processes) -> None:
    step = Trainer.step

    def fails(self: Trainer) -> None:
        if self.progress.step == 3 and processes.rank == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 EiB.")
        step(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "step", fails)
        variant = tiny({**SETTINGS, "processes": 2})
        loop.train(variant, 1, corpus, folder / "a", folder, 0, device=device, processes=processes)


def be_killed(device: str, processes: Processes) -> None:
    if processes.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    processes.all_equal(0)


def fail_and_die_on_leaving(device: str, processes: Processes) -> None:
    if processes.rank == 1:
        die = partial(os.kill, os.getpid(), signal.SIGKILL)
        pytest.MonkeyPatch().setattr(distributed, "destroy_process_group", die)
        raise TaaeError("the cause")
    processes.all_equal(0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    audio = {name: {"a": rng.normal(0, 0.1, 40_000)} for name in ("train", "validation")}
    return write_splits(tmp_path_factory.mktemp("ddp") / "corpus", audio)


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of every case trained in one process, and in two."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    train_cases(corpus, one, "cpu")
    run(partial(train_cases, corpus, two), 2, "cpu")
    return one, two


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_as_one_does(trained: tuple[Path, Path], name: str) -> None:
    one, two = (pd.read_csv(folder / name / "history.csv") for folder in trained)
    assert len(one) == 8 + 1
    pd.testing.assert_frame_equal(
        one.drop(columns="seconds"), two.drop(columns="seconds"), rtol=1e-5, atol=1e-6
    )
    assert one["skipped"].sum() == (name == "skipped")
    assert one["discriminator"].notna().any() == (name == "adversarial")
    expected, found = (load_file(folder / name / "model.safetensors") for folder in trained)
    for key, weight in expected.items():
        torch.testing.assert_close(found[key], weight, rtol=1e-5, atol=1e-6)
    # The optimisers are blind to the scale of gradients; their norms are not.
    norms = [json.loads((folder / "norms.json").read_text())[name] for folder in trained]
    assert norms[1] == pytest.approx(norms[0], rel=1e-4, nan_ok=True)


def test_what_diverges_in_one_process_stops_all(trained: tuple[Path, Path]) -> None:
    for folder in trained:
        assert list((folder / "kept").glob("*/step-00000008-*.pt"))
        assert not (folder / "diverged").exists()


def test_the_parts_of_a_batch_are_those_of_the_whole() -> None:
    split = FakeSplit.open(Path(), "train")
    whole = segments.batch(split, 1000, 6, 1, 7)  # type: ignore[arg-type]
    parts = [segments.batch(split, 1000, 6, 1, 7, (i, 3)) for i in range(3)]  # type: ignore[arg-type]
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("random_levels", [(), (5, 9, 17)])
@pytest.mark.parametrize("mode", ["hybrid", "noise"])
def test_the_parts_of_a_batch_have_the_noise_of_the_whole(
    mode: str, random_levels: tuple[int, ...]
) -> None:
    fsq = FSQ(17, "symmetric", mode, random_levels)  # type: ignore[arg-type]
    x = torch.randn(5, 6).expand(8, 5, 6)
    torch.manual_seed(3)
    whole = fsq(x)
    parts, fsq.parts = [], 4
    for number, part in enumerate(x.chunk(4)):
        torch.manual_seed(3)
        fsq.part.fill_(number)
        parts.append(fsq(part))
    assert torch.equal(torch.cat(parts), whole)
    assert not all(torch.equal(item, whole[0]) for item in whole)


def test_what_does_not_fit_in_one_process_ends_all(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(TaaeError, match=r"4 segments of 0\.64 s in 2 part\(s\).* GiB were in use"):
        run(partial(lack_memory, corpus, tmp_path), 2, "cpu")
    assert list(tmp_path.glob("*/step-00000003-*.pt"))


def test_a_process_that_is_killed_ends_all() -> None:
    with pytest.raises(TaaeError, match="process 1 terminated with signal SIGKILL"):
        run(be_killed, 2, "cpu")


def test_the_cause_of_a_failure_comes_before_what_follows_from_it() -> None:
    with pytest.raises(TaaeError, match="the cause"):
        run(fail_and_die_on_leaving, 2, "cpu")


def test_the_time_budget_counts_from_the_start(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times, deadlines = [time.monotonic()], []

    @contextmanager
    def wait(gpus: int) -> Iterator[str]:
        times.append(time.monotonic())
        yield "cpu"

    def train(*_: Any, deadline: float, **__: Any) -> None:
        deadlines.append(deadline)

    monkeypatch.setattr(launching, "compute", wait)
    monkeypatch.setattr(loop, "train", train)
    assert cli.main([*Command(tmp_path, corpus).words[2:], "--time-budget", "100"]) == 0
    before, waiting = times
    assert before + 100 <= deadlines[0] <= waiting + 100


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 3, "processes": 2}, "3 segments cannot be cut into 2 equal parts"),
        ({"batch": 6, "gpus": 2, "nodes": 2}, r"cut into 4 equal parts.*each of 4 process"),
        ({"batch": 6, "gpus": 2, "accumulate": 2}, r"cut into 4 equal parts, 2 \(training"),
        ({"batch": 6, "gpus": 2, "processes": 2}, "one process for each GPU"),
    ],
)
def test_batches_that_cannot_be_shared(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TaaeError, match=message):
        tiny(changes)


def no_work(**_: object) -> None:
    raise AssertionError("it began")


def test_gpus_that_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(TaaeError, match=r"training\.gpus: 2 asked for, but no GPU is visible"):
        launch(tiny({"gpus": 2}).training, no_work)


def test_nodes_need_a_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(TaaeError, match="torchrun --nnodes"):
        launch(tiny({"nodes": 2}).training, no_work)


def test_other_processes_than_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"RANK": "0", "WORLD_SIZE": "3", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TaaeError, match=r"3 processes were started, but .* ask for 2"):
        launch(tiny({"processes": 2}).training, no_work)


def test_a_rank_of_slurm_alone_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step in which Snakemake runs a job, at a site that sets MASTER_ADDR itself."""
    place = {"SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"}
    for name, value in {**place, "MASTER_ADDR": "n1", "MASTER_PORT": "2000"}.items():
        monkeypatch.setenv(name, value)
    begun: list[Processes] = []
    launch(tiny().training, lambda device, processes: begun.append(processes))
    assert begun == [SINGLE_PROCESS]


class Command:
    """`taae train` on a study of two processes."""

    def __init__(self, folder: Path, corpus: Path, **training: Any) -> None:
        settings = {**SETTINGS, **ADVERSARIAL, "steps": 48, **training}
        study = folder / "study.json"
        study.write_text(json.dumps(tiny_config(settings)))
        self.output = folder / "model"
        self.words = ["-m", "taae", "train", "--variant", "baseline", "--seed", "1"]
        for name, path in (("study", study), ("corpus", corpus), ("output", self.output)):
            self.words += [f"--{name}", str(path)]
        self.words += ["--state", str(folder / "state")]

    def start(self, *launcher: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *launcher, *self.words], stderr=subprocess.PIPE, text=True
        )


@pytest.fixture(scope="module")
def uninterrupted(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights that two processes of one node leave."""
    command = Command(tmp_path_factory.mktemp("whole"), corpus, processes=2)
    training = command.start()
    _, said = training.communicate(timeout=120)
    assert training.returncode == 0, said
    assert said.count("step 48/48") == 1
    return weights(command.output)


def test_stopped_and_resumed_ends_with_the_same_bytes(
    corpus: Path, tmp_path: Path, uninterrupted: bytes
) -> None:
    command = Command(tmp_path, corpus, processes=2)
    training = command.start()
    assert training.stderr
    next(line for line in training.stderr if line.startswith("step 8/48"))
    training.send_signal(signal.SIGTERM)
    said = training.stderr.read()
    assert training.wait(60) == 75, said
    assert said.splitlines()[-1].startswith("stopped at step ")
    assert not command.output.exists()
    again = command.start()
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert said.count("resuming at step") == 1
    assert weights(command.output) == uninterrupted


@pytest.mark.parametrize(
    ("at_signal", "status"),
    [
        ("exit 75", 75),
        ("exit 138", 75),  # a process was not listening yet, or no longer
        ("trap - TERM; kill -TERM $$", 75),
        ("exit 1", 1),  # such as a disk that is full
    ],
)
def test_srun_hands_on_what_stops_a_training(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_signal: str, status: int
) -> None:
    srun = tmp_path / "srun"
    loop = "echo $WORLD_SIZE $* >&2\nwhile :; do :; done\n"
    srun.write_text(f"#!/bin/sh\ntrap '{at_signal}' USR1\n{loop}")
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    training = Command(tmp_path, corpus, nodes=2).start()
    assert training.stderr
    said = training.stderr.readline()
    assert said.startswith("2 --overlap --wait=600 --nodes=2 --ntasks=2 "), said
    training.send_signal(signal.SIGTERM)
    assert training.wait(60) == status


def test_srun_that_fails_by_itself_is_no_interruption(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    srun = tmp_path / "srun"
    srun.write_text("#!/bin/sh\nexit 137\n")  # a process lacked memory
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert Command(tmp_path, corpus, nodes=2).start().wait(60) == 137


def test_two_nodes_by_torchrun(corpus: Path, tmp_path: Path, uninterrupted: bytes) -> None:
    command = Command(tmp_path, corpus, nodes=2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    shape = ["--nnodes=2", "--master-addr=127.0.0.1", f"--master-port={port}"]
    launcher = ["-m", "torch.distributed.run", *shape]
    nodes = [command.start(*launcher, f"--node-rank={rank}") for rank in range(2)]
    for node in nodes:
        _, said = node.communicate(timeout=120)
        assert node.returncode == 0, said
    assert weights(command.output) == uninterrupted
