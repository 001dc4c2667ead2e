"""Plans against closed forms, the tensors that a training really holds, and a run's own times."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from taae import cli
from taae.benchmark import calibrate, plan
from taae.benchmark.calibrate import Calibration
from taae.benchmark.jobs import CORPUS_THREADS, durations, jobs, training_seconds
from taae.benchmark.schedule import Job, makespan
from taae.benchmark.steps import Steady, extrapolated, judged, key, measure, signature, stand_in
from taae.benchmark.train_speed import Steps, generator_only, with_discriminator
from taae.codec.base import Codec
from taae.codec.load import build
from taae.study.load import load_study, read_yaml, resolve
from taae.study.study import Study
from taae.training import footprint
from taae.training.config import Variant
from taae.training.discriminator import Discriminator
from taae.training.footprint import discriminator_flops, step_flops
from taae.training.trainer import Trainer
from taae.utils import gpus as devices
from taae.utils.errors import TaaeError
from tests.unit.training.trainings import ADVERSARIAL, ROOT, noise_corpus, tiny, tiny_config

SMOKE = [ROOT / "config.yaml", ROOT / "workflow" / "studies" / "smoke.yaml"]


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study(SMOKE)


def calibration(study: Study, seconds: float = 0.5) -> Calibration:
    """Every step takes the same, every metric a hundredth of the audio."""
    steps = {
        key(codec, playing): Steady(seconds * (1 + playing), 100.0, 0.1)
        for variant in study.variants.values()
        for codec in (variant, judged(variant))
        for playing in (False, True)
    }
    return Calibration(steps, 2.0, 3.0, 300.0, 0.01, dict.fromkeys(study.metrics.names, 0.01))


@pytest.mark.parametrize("kind", ["taae", "conv"])
def test_parameters_are_those_of_the_networks(kind: str) -> None:
    variant = tiny(ADVERSARIAL, model={"kind": kind})
    built = sum(weight.numel() for weight in build(variant.codec).parameters())
    assert footprint.codec_parameters(variant) == built
    settings = variant.training.discriminator
    network = Discriminator(settings.fft_sizes, settings.width)
    assert footprint.discriminator_parameters(settings) == sum(
        weight.numel() for weight in network.parameters()
    )


@pytest.mark.parametrize(("optimizer", "tolerance"), [("adamw", 1e-3), ("muon", 0.05)])
def test_states_are_the_tensors_that_a_training_keeps(
    optimizer: str, tolerance: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = tiny({**ADVERSARIAL, "optimizer": optimizer, "steps": 2})
    corpus = noise_corpus(tmp_path / "corpus", monkeypatch)
    trainer = Trainer(variant, 1, corpus, torch.device("cpu"))
    for _ in trainer.run():
        pass
    assert trainer.adversary
    held = [*trainer.codec.parameters(), *trainer.average.parameters()]
    held += trainer.adversary.network.parameters()
    for optimisation in (trainer.optimisation, trainer.adversary.optimisation):
        for each in optimisation.optimizers:
            for state in each.state.values():
                held += [value for value in state.values() if isinstance(value, torch.Tensor)]
    size = sum(tensor.numel() * tensor.element_size() for tensor in held)
    assert footprint.state_bytes(variant) == pytest.approx(size, rel=tolerance)


def test_what_costs_nothing_is_calibrated_once(study: Study) -> None:
    base = study.variants["baseline"]
    rounded = replace(base, bottleneck=replace(base.bottleneck, rounding="original", levels=16))
    slower = replace(base, training=replace(base.training, learning_rate=1e-5, steps=7))
    assert key(base, False) == key(rounded, False) == key(slower, False)
    assert key(base, False) != key(study.variants["window-32"], False)
    assert key(base, False) != key(base, True) == key(study.variants["window-32"], True)
    assert signature(base, True).training.discriminator.share == 1


def test_larger_codecs_are_extrapolated_by_their_flops(study: Study) -> None:
    base = study.variants["baseline"]
    huge = replace(base, model=replace(base.model, width=1024, head_dim=64, layers=[8, 20]))
    small = stand_in(huge)
    steady = Steady(2.0, 500.0, 0.1)
    one = extrapolated(huge, small, steady)
    assert one.seconds / steady.seconds == pytest.approx(step_flops(huge) / step_flops(small))
    batches = replace(huge, training=replace(huge.training, batch=2 * huge.training.batch))
    two = extrapolated(batches, small, steady)
    assert two.seconds == pytest.approx(2 * one.seconds)
    gradients = footprint.gradient_bytes(huge) / 2**20
    assert two.memory - gradients == pytest.approx(2 * (one.memory - gradients))
    assert two.decoding == pytest.approx(one.decoding)
    assert one.basis == "extrapolated"


def test_a_gpu_that_is_not_here_computes_at_the_given_rate(study: Study) -> None:
    base = study.variants["baseline"]
    quiet, playing = signature(base, False), signature(base, True)
    assert calibrate.by_rate(quiet, step_flops(quiet)).seconds == pytest.approx(1)
    alone = calibrate.by_rate(signature(judged(base), False), 1e9)
    both = calibrate.by_rate(playing, 1e9)
    assert both.seconds - alone.seconds == pytest.approx(discriminator_flops(playing) / 1e9)
    assert math.isnan(calibrate.by_rate(base, 0.0).seconds)


@pytest.mark.parametrize("samples", [0, 3200])
def test_flops_of_the_discriminator_are_those_of_a_step(
    samples: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = noise_corpus(tmp_path / "corpus", monkeypatch)
    settings = {**ADVERSARIAL["discriminator"], "segment": samples / 16_000}
    variant = tiny({**ADVERSARIAL, "discriminator": settings, "accumulate": 2})
    counted = []
    for stage in (with_discriminator, generator_only):
        steps = Steps(stage(variant), corpus, "cpu")
        with FlopCounterMode(display=False) as counter:
            steps()
        counted.append(counter.get_total_flops())
    assert discriminator_flops(variant) == counted[0] - counted[1] > 0


def test_a_discriminator_is_extrapolated_from_smaller_batches(study: Study) -> None:
    playing = signature(study.variants["baseline"], True)
    large = replace(playing, training=replace(playing.training, batch=64))
    small = stand_in(large)
    assert small.model == large.model
    assert extrapolated(large, small, Steady(2.0, 500.0, 0.1)).seconds == pytest.approx(32)


@pytest.mark.parametrize(("gpus", "there"), [(0, True), (2, False), (2, True)])
def test_a_gpu_is_held_where_one_is_measured(
    study: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gpus: int, there: bool
) -> None:
    monkeypatch.setattr(devices, "installed", lambda: ["GPU-a", "GPU-b"] if there else [])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    base = study.variants["baseline"]
    on_gpus = replace(base, training=replace(base.training, gpus=gpus))
    with calibrate._gpu(replace(study, variants={"baseline": on_gpus})):
        held = os.environ.get("CUDA_VISIBLE_DEVICES")
    assert held == ("0" if gpus and there else None)


def test_measured_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = noise_corpus(tmp_path / "corpus", monkeypatch)
    found = measure(signature(tiny(), False), corpus)
    assert found.seconds > 0 < found.decoding
    assert found.memory > footprint.gradient_bytes(tiny()) / 2**20


def test_compiled_trainings_decode_as_jobs_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The graphs are those of any backend; generating code for them would take minutes.
    graphs: list[torch.fx.GraphModule] = []

    def run(graph: torch.fx.GraphModule, _inputs: list[torch.Tensor]) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=run))
    encode, decode, compiled = Codec.encode, Codec.decode, [0]

    def encoded(codec: Codec, wave: torch.Tensor) -> torch.Tensor:
        assert not codec.training
        compiled[0] = compiled[0] or len(graphs)
        return encode(codec, wave)

    def decoded(codec: Codec, codes: torch.Tensor) -> torch.Tensor:
        wave = decode(codec, codes)
        compiled.append(len(graphs))
        return wave

    monkeypatch.setattr(Codec, "encode", encoded)
    monkeypatch.setattr(Codec, "decode", decoded)
    corpus = noise_corpus(tmp_path / "corpus", monkeypatch)
    measure(signature(tiny({"compile": True}), False), corpus)
    before, *after = compiled
    assert before  # the training did compile
    assert after
    assert set(after) == {before}


def own_process(variant: Variant, corpus: Path) -> Steady:
    """Stand in for `measure`: the number of the process as the seconds of a step."""
    return Steady(os.getpid(), 0.0, 0.0)


@pytest.mark.slow
def test_each_arm_is_measured_in_a_process_of_its_own(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "measure", own_process)
    base = study.variants["baseline"]
    one = replace(study, variants={"baseline": base})
    found = calibrate._steps(one, Path(), cores=1, rate=0.0)
    assert len({steady.seconds for steady in found.values()}) == len(found) == 3


def test_durations(study: Study, tmp_path: Path) -> None:
    assert durations(study.corpus, None)["train"] == 60
    splits = {name: {"seconds": 7.0} for name in ("train", "validation", "test")}
    path = tmp_path / "corpus.json"
    path.write_text(json.dumps({"settings": study.corpus, "splits": splits}))
    assert durations(study.corpus, path)["train"] == 7
    path.write_text(json.dumps({"settings": {"seed": 2}, "splits": splits}))
    assert durations(study.corpus, path)["train"] == 60


def test_durations_of_files(study: Study, tmp_path: Path) -> None:
    for speaker in "abc":
        (tmp_path / "audio" / speaker).mkdir(parents=True)
        for number in (1, 2):
            soundfile.write(tmp_path / "audio" / speaker / f"{number}.wav", np.zeros(8000), 8000)
    folder = {"path": str(tmp_path / "audio"), "manifest": "", "speaker": "parent"}
    folder |= {"validation_speakers": 1, "test_speakers": 1, "test_utterances": 1}
    corpus = {**study.corpus, "kind": "folder", "folder": folder}
    assert durations(corpus, None) == {"train": 2, "validation": 2, "test": 1}


def test_a_training_takes_its_steps_and_validations() -> None:
    config = read_yaml(ROOT / "config.yaml")
    config["training"] |= {"steps": 100, "batch": 2, "validate_every": 50}
    config["training"]["loss"] |= {"adversarial": 1.0}
    config["training"]["discriminator"] = {"share": 0.25}
    study = resolve(config)
    found = training_seconds(study.variants["baseline"], calibration(study, 0.5))
    assert found == pytest.approx(75 * 0.5 + 25 * 1.0 + 2 * 16 / 2 * 0.5 / 3)


def test_jobs_have_the_names_of_the_workflow_s_benchmarks(study: Study) -> None:
    found = jobs(study, calibration(study), durations(study.corpus, None), cores=2)
    names = [job.name for job in found]
    assert len(set(names)) == len(names)
    assert {name for job in found for name in job.after} <= set(names)
    rules = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    patterns = [
        re.sub(r"\\{\w+\\}", "[^/]+", re.escape(found))
        for found in re.findall(r'"results/benchmarks/(.*)\.tsv"', rules)
    ]
    own = [name for name in names if any(re.fullmatch(pattern, name) for pattern in patterns)]
    stages = {name.split("/")[0] for name in names} - {name.split("/")[0] for name in own}
    assert stages == {"precision", "tables"}  # which have no benchmark
    scored = next(job for job in found if job.name == "score/baseline/seed1/native")
    test = durations(study.corpus, None)["test"]
    assert scored.seconds == pytest.approx(3 + 0.01 * len(study.metrics.names) * test)


def test_the_corpus_is_planned_with_the_threads_of_its_rule() -> None:
    rules = (ROOT / "workflow" / "rules" / "corpus.smk").read_text()
    (threads,) = re.findall(r"^    threads: (\d+)$", rules, re.MULTILINE)
    assert int(threads) == CORPUS_THREADS


def single(count: int, seconds: float = 1.0) -> list[Job]:
    return [Job(str(number), "", seconds) for number in range(count)]


def test_schedules_of_closed_form() -> None:
    assert makespan(single(7), cores=3, gpus=0) == 3
    chain = [Job(str(n), "", 2.0, after=(str(n - 1),)) for n in range(4)]
    assert makespan(chain, cores=9, gpus=0) == 8
    wide = [Job("wide", "", 5.0, threads=64), *single(2)]
    assert makespan(wide, cores=2, gpus=0) == 6
    on_gpu = [Job(str(n), "", 1.0, gpus=1) for n in range(4)]
    assert makespan(on_gpu, cores=8, gpus=2) == 2
    with pytest.raises(TaaeError, match="needs 1 GPU"):
        makespan(on_gpu, cores=8, gpus=0)


@given(
    st.lists(st.tuples(st.floats(0.1, 10), st.integers(0, 5)), min_size=1, max_size=12),
    st.integers(1, 4),
)
def test_schedules_are_within_grahams_bound(shape: list[tuple[float, int]], cores: int) -> None:
    """Any list schedule takes at most (2 - 1/m) times the best one's (Graham 1969)."""
    planned, paths = [], []
    for number, (seconds, back) in enumerate(shape):
        before = [number - back] if 0 < back <= number else []
        planned.append(Job(str(number), "", seconds, after=tuple(map(str, before))))
        paths.append(seconds + max((paths[n] for n in before), default=0.0))
    least = max(max(paths), sum(seconds for seconds, _ in shape) / cores)
    found = makespan(planned, cores, 0)
    assert least - 1e-9 <= found
    assert found <= sum(s for s, _ in shape) / cores + (1 - 1 / cores) * max(paths) + 1e-9


def test_plan_beside_a_run(
    study: Study,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(plan, "calibrate", lambda study, cores, rate: calibration(study))
    expected = 2 + training_seconds(study.variants["baseline"], calibration(study))
    times = tmp_path / "results" / "benchmarks" / "train" / "baseline" / "seed1.tsv"
    times.parent.mkdir(parents=True)
    times.write_text(f"s\th:m:s\tmax_rss\n{2 * expected}\t0:00:10\t512.5\n")
    words = ["plan", "--configfile", *SMOKE, "--cores", "2", "--gpus", "0"]
    words += ["--results", tmp_path / "results", "--output", tmp_path / "plan.csv"]
    assert cli.main([str(word) for word in words]) == 0
    rows = pd.read_csv(tmp_path / "plan.csv").set_index("job")
    row = rows.loc["train/baseline/seed1"]
    assert row["off_percent"] == pytest.approx(-50, abs=0.1)
    assert row["measured_memory_mib"] == 512.5
    assert rows["off_percent"].notna().sum() == 1
    printed = capsys.readouterr().out
    assert "train: 4 jobs" in printed
    assert re.search(r"train: .* off by -(50.0|49\.\d) % where measured", printed)
    assert "on 2 cores" in printed


def test_what_is_not_known_is_not_nothing(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = calibration(study)
    steps = dict.fromkeys(known.steps, Steady(math.nan, math.nan, 0.0))
    monkeypatch.setattr(plan, "calibrate", lambda *_: replace(known, steps=steps))
    plan.plan(study, cores=2)
    printed = capsys.readouterr().out
    assert "train: 4 jobs, unknown time" in printed
    assert "give --gpu-tflops" in printed
    assert "largest job at least " in printed


@pytest.mark.slow
def test_a_calibration(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["si_sdr", "stft_distance"]
    few = replace(study, metrics=replace(study.metrics, names=names))
    few = replace(few, variants={"baseline": study.variants["baseline"]})
    found = calibrate.calibrate(few, cores=1)
    assert set(found.scoring) == set(names)
    assert found.steps[key(few.variants["baseline"], False)].seconds > 0
    assert found.process > 100
    assert found.corpus > 0 < found.start_scoring


@pytest.mark.parametrize(
    ("training", "parents", "copies"),
    [
        ({}, 0, 1),
        ({"processes": 2}, 1, 2),
        ({"processes": 2, "nodes": 2}, 1, 2),
        ({"nodes": 2}, 1, 1),
        ({"gpus": 2}, 0, 1),
    ],
)
def test_each_process_of_a_training_takes_memory(
    training: dict[str, int], parents: int, copies: int
) -> None:
    study = resolve(tiny_config({"batch": 4, **training}))
    planned = jobs(study, calibration(study), durations(study.corpus, None), cores=4)
    found = next(job for job in planned if job.stage == "train")
    state = footprint.state_bytes(study.variants["baseline"]) / 2**20
    assert found.memory == pytest.approx(parents * 300 + copies * (300 + state + 100))


def test_processes_share_the_cost_of_a_step() -> None:
    whole, halves = (tiny({"batch": 4, "processes": count}) for count in (1, 2))
    half = tiny({"batch": 2})
    assert key(halves, False) == key(half, False) != key(whole, False)
    assert footprint.activation_numbers(halves) == footprint.activation_numbers(half)
