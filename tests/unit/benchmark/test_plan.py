"""Plans against closed forms, the FLOPs that PyTorch counts, and a run's own times."""

from __future__ import annotations

import math
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from taae import cli
from taae.benchmark import calibrate, plan, speech
from taae.benchmark.calibrate import (
    ADVERSARIAL_STEPS,
    STEPS,
    Calibration,
    TrainingCost,
    cost_at,
    extrapolate,
    measure,
)
from taae.benchmark.jobs import Job, total_time
from taae.benchmark.plan import corpus_line, duration, job_mib, job_seconds, training_seconds
from taae.benchmark.shards import shard_count, with_shards
from taae.benchmark.shared import speech_corpus
from taae.benchmark.speech import SPOKEN, Amount, speech_by_test, speech_of
from taae.benchmark.storage import Stored, stored_by
from taae.benchmark.train_speed import (
    WARM,
    TimedTraining,
    discriminator_flops,
    one_process,
    step_flops,
)
from taae.codec.codec import Codec
from taae.codec.complexity import profile
from taae.codec.config import SHAPES
from taae.corpus import config
from taae.study.load import load_study, resolve
from taae.study.overlay import read_yaml
from taae.study.study import Study
from taae.training.adversarial import Adversary
from taae.training.config import Variant
from taae.training.losses import Terms
from taae.utils import gpus as devices
from taae.utils.errors import TaaeError
from taae.utils.fingerprint import canonical
from taae.utils.settings import validate
from tests.unit.benchmark.smoke import SMOKE, smoke_jobs
from tests.unit.training.trainings import ADVERSARIAL, ROOT, noise_corpus, tiny, tiny_config


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study(SMOKE)


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Let plans of the smoke study ask Snakemake once for all tests."""
    monkeypatch.setattr(plan, "list_jobs", lambda config, cores: smoke_jobs())
    return smoke_jobs()


def calibration(study: Study, seconds: float = 0.5) -> Calibration:
    """Every step takes the same, every metric a hundredth of the audio."""
    cost = TrainingCost(seconds, 2 * seconds, 0.1, 400.0)
    trainings = dict.fromkeys([*study.variants, "trunk"], cost)
    return Calibration(trainings, 2.0, 3.0, 0.01, dict.fromkeys(study.metrics.names, 0.01))


def measured(variant: Variant) -> Variant:
    return one_process(variant, WARM + STEPS)


def key(variant: Variant) -> str:
    return canonical(measured(variant))


def small_of(variant: Variant, batch: int) -> Variant:
    shape = replace(variant.model, **SHAPES["small"])
    return replace(variant, model=shape, training=replace(variant.training, batch=batch))


@pytest.mark.parametrize("kind", ["taae", "conv"])
def test_parameters_are_those_of_the_network(kind: str) -> None:
    variant = tiny(ADVERSARIAL, model={"kind": kind})
    built = sum(weight.numel() for weight in Codec(variant.codec).parameters())
    assert profile(variant.codec).parameters == built


def test_what_costs_nothing_is_calibrated_once(study: Study) -> None:
    base = study.variants["baseline"]
    rounded = replace(base, bottleneck=replace(base.bottleneck, rounding="original", levels=16))
    longer = replace(base, training=replace(base.training, validate_every=3, steps=7))
    quiet = replace(base.training.discriminator, share=0.0)
    assert key(base) == key(rounded) == key(longer)
    assert key(base) != key(study.variants["window-32"])
    assert key(base) != key(replace(base, training=replace(base.training, discriminator=quiet)))


def test_larger_codecs_are_extrapolated_by_their_flops(study: Study) -> None:
    base = study.variants["baseline"]
    huge = replace(base, model=replace(base.model, width=1024, head_dim=64, layers=[8, 20]))
    small = small_of(huge, batch=2)
    cost = TrainingCost(2.0, 3.0, 0.1, 500.0)
    one = extrapolate(huge, small, cost)
    assert one.step / cost.step == pytest.approx(step_flops(huge) / step_flops(small))
    batches = replace(huge, training=replace(huge.training, batch=2 * huge.training.batch))
    two = extrapolate(batches, small, cost)
    assert two.step == pytest.approx(2 * one.step)
    assert two.decoding == pytest.approx(one.decoding)
    assert math.isnan(one.memory)
    assert one.basis == "extrapolated"


def test_a_discriminator_is_extrapolated_by_the_batch(study: Study) -> None:
    playing = measured(study.variants["baseline"])
    large = replace(playing, training=replace(playing.training, batch=64))
    small = small_of(large, batch=4)
    assert small.training.discriminator == large.training.discriminator
    found = extrapolate(large, small, TrainingCost(2.0, 5.0, 0.1))
    assert found.adversarial_step - found.step == pytest.approx(3.0 * 64 / 4)


def test_a_gpu_that_is_not_here_computes_at_the_given_rate(study: Study) -> None:
    base = measured(study.variants["baseline"])
    found = cost_at(step_flops(base), base)
    assert found.step == pytest.approx(1)
    extra = (found.adversarial_step - found.step) * step_flops(base)
    assert extra == pytest.approx(discriminator_flops(base))
    assert math.isnan(cost_at(math.nan, base).step)


@pytest.mark.parametrize("samples", [0, 3200])
def test_flops_of_the_discriminator_are_those_of_a_step(
    samples: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = noise_corpus(tmp_path / "corpus", monkeypatch)
    settings = {**ADVERSARIAL["discriminator"], "segment": samples / 16_000}
    variant = tiny({**ADVERSARIAL, "discriminator": settings, "accumulate": 2})
    counted = []
    quiet = replace(variant.training.discriminator, share=0.0)
    without = replace(variant, training=replace(variant.training, discriminator=quiet))
    for each in (variant, without):
        steps = TimedTraining(one_process(each), corpus, "cpu")
        with FlopCounterMode(display=False) as counter:
            steps()
        counted.append(counter.get_total_flops())
    assert discriminator_flops(variant) == counted[0] - counted[1] > 0


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
    held: list[str | None] = []

    @contextmanager
    def speech_corpus() -> Iterator[Path]:
        held.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        raise InterruptedError
        yield

    monkeypatch.setattr(calibrate, "speech_corpus", speech_corpus)
    with pytest.raises(InterruptedError):
        calibrate.calibrate(replace(study, variants={"baseline": on_gpus}), cores=1)
    assert held == ["GPU-a" if gpus and there else None]
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_measured_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = noise_corpus(tmp_path / "corpus", monkeypatch)
    played: list[int] = []
    terms = Adversary.terms

    def noted(self: Adversary, decoded: Tensor, target: Tensor, step: int) -> Terms:
        played.append(step)
        return terms(self, decoded, target, step)

    monkeypatch.setattr(Adversary, "terms", noted)
    found = measure(measured(tiny(ADVERSARIAL)), corpus)
    # Steps without the discriminator come first.
    first = WARM + STEPS
    assert played == list(range(first, first + WARM + ADVERSARIAL_STEPS))
    assert found.adversarial_step > found.step > 0 < found.decoding
    assert found.memory > 100
    without = measure(measured(tiny()), corpus)
    assert without.adversarial_step == without.step


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
    measure(measured(tiny({"compile": True})), corpus)
    before, *after = compiled
    assert before  # the training did compile
    assert after
    assert set(after) == {before}


def own_process(variant: Variant, corpus: Path) -> TrainingCost:
    """Stand in for `measure`: the number of the process as the seconds of a step."""
    return TrainingCost(os.getpid(), 0.0, 0.0)


def killed(variant: Variant, corpus: Path) -> TrainingCost:
    """Stand in for `measure`, as where memory is lacking."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_measurement_that_dies_is_one_clear_error(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "measure", killed)
    with pytest.raises(TaaeError, match=r"died \(SIGKILL\), perhaps for want of memory") as caught:
        calibrate._trainings(study, Path(), cores=1, rate=0.0)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_each_kind_of_arm_is_measured_once_and_in_a_process_of_its_own(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "measure", own_process)
    base = study.variants["baseline"]
    even = replace(base, bottleneck=replace(base.bottleneck, levels=16))
    variants = {"baseline": base, "even": even, "window-32": study.variants["window-32"]}
    arms = replace(study, variants=variants, trunk=None)
    found = calibrate._trainings(arms, Path(), cores=1, rate=0.0)
    assert found["baseline"] == found["even"]
    assert len({cost.step for cost in found.values()}) == 2


@pytest.mark.slow
def test_a_trunk_is_measured_where_the_study_trains_it(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "measure", own_process)
    assert study.trunk
    finished = replace(study.trunk, pretrained="a model")
    for trunk, names in ((study.trunk, {"trunk"}), (finished, set()), (None, set())):
        alone = replace(study, variants={}, trunk=trunk)
        assert set(calibrate._trainings(alone, Path(), cores=1, rate=0.0)) == names


def test_large_steps_are_extrapolated_from_one_small_training(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "measure", own_process)
    base = study.variants["baseline"]
    huge = {
        str(layers): replace(base, model=replace(base.model, width=1024, layers=[8, layers]))
        for layers in (20, 40)
    }
    arms = replace(study, variants=huge, trunk=None)
    found = calibrate._trainings(arms, Path(), cores=1, rate=0.0)
    assert {cost.basis for cost in found.values()} == {"extrapolated"}
    flops = {name: step_flops(measured(variant)) for name, variant in huge.items()}
    assert found["40"].step / found["20"].step == pytest.approx(flops["40"] / flops["20"])


def test_spoken_by_settings(study: Study) -> None:
    settings = study.corpus["synthetic"]["test"]
    found = speech_of(study.corpus)
    assert found.seconds["train"] == 60
    assert found.utterances["test"] == settings["voices"] * settings["utterances"]
    assert found.seconds["test"] == found.utterances["test"] * SPOKEN


def folder_corpus(study: Study, path: Path) -> dict[str, Any]:
    settings = {"path": str(path), "manifest": "", "speaker": "parent"}
    settings |= {"validation_speakers": 1, "test_speakers": 1, "test_utterances": 1}
    return {**study.corpus, "kind": "folder", "folder": settings}


@pytest.mark.parametrize("opened", [1000, 1])
def test_durations_of_files(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: int
) -> None:
    monkeypatch.setattr(speech, "OPENED", opened)
    for speaker in "abc":
        (tmp_path / speaker).mkdir(parents=True)
        for number in (1, 2):
            soundfile.write(tmp_path / speaker / f"{number}.wav", np.zeros(8000), 8000)
    (tmp_path / "a" / "3.wav").write_bytes(b"")  # which the corpus job rejects
    found = speech_of(folder_corpus(study, tmp_path))
    assert found.seconds == pytest.approx({"train": 2, "validation": 2, "test": 1}, rel=0.01)
    assert found.basis.startswith("all" if opened == 1000 else "some")


def test_recordings_that_are_not_here(study: Study, tmp_path: Path) -> None:
    corpus = folder_corpus(study, tmp_path / "nowhere")
    with pytest.raises(TaaeError, match="no such folder"):
        speech_of(corpus)
    told = speech_of(corpus, train_hours=105_000)
    assert told.seconds["train"] == 105_000 * 3600
    assert told.utterances["train"] == 105_000 * 240  # of 15 s
    assert told.utterances["test"] == 1


def test_what_a_corpus_takes_to_prepare() -> None:
    told = Amount({"train": 9000.0, "test": 1800.0}, {"train": 600, "test": 120}, "as told")
    jobs = [Job("corpus", cores=8)]
    # 3 h at 60 hours per core hour are 3 core minutes.
    line = corpus_line(jobs, told, 1 / 60, "as told", cores=40)
    assert "3.0 h of speech in 720 utterances" in line
    assert "0.1 core hours, at 60 h per core hour (as told); 0.4 min on 8 cores, jobs: 1" in line
    assert "1.5 min on 2 cores" in corpus_line(jobs, told, 1 / 60, "", cores=2)


def test_shards_are_jobs_between_listing_and_joining(study: Study) -> None:
    sharded = replace(study, shard_hours=0.5)
    speech = Amount({"train": 7000.0, "test": 200.0}, {"train": 700, "test": 20}, "as told")
    listed = [
        Job("shards", outputs=("shards.json",)),
        Job("corpus", inputs=("<TBD>",), outputs=("corpus.json",), cores=2, requested_mib=2000),
        Job("train", {"variant": "baseline"}, ("corpus.json",), ("model",)),
    ]
    assert with_shards(listed, study, speech) == listed
    cut, *shards, joins, train = with_shards(listed, sharded, speech)
    assert len(shards) == shard_count(sharded, speech) == 4
    assert (cut, train) == (listed[0], listed[2])
    assert joins.inputs == ("<TBD>", *(path for job in shards for path in job.outputs))
    assert {job.inputs for job in shards} == {("shards.json",)}
    assert {(job.cores, job.requested_mib) for job in shards} == {(2, 2000)}
    # Speech is prepared at a hundredth of its length, 2 s after the start of a job.
    found, shard = calibration(sharded), speech.part(4)
    assert job_seconds(shards[0], sharded, found, shard) == pytest.approx(2 + 1800 / 100 / 2)
    assert job_seconds(joins, sharded, found, speech) == 2
    assert job_seconds(listed[1], study, found, speech) == pytest.approx(2 + 7200 / 100 / 2)
    whole = stored_by(listed[1], study, speech)[0].mib
    rows = stored_by(joins, sharded, speech)[0].mib
    parts = [stored_by(job, sharded, shard)[0].mib for job in shards]
    assert rows == pytest.approx(720 * 245 / 2**20)
    assert sum(parts) == pytest.approx(whole)


def test_times_in_words() -> None:
    assert [duration(60 * each) for each in (1, 600, 60 * 24 * 9)] == [
        "1.0 min",
        "10.0 h",
        "9 days",
    ]


def test_what_jobs_leave_on_the_disk(study: Study) -> None:
    known = Amount({"train": 80.0, "test": 20.0}, {"train": 8, "test": 2}, "as told")
    outputs = ("audio", "codes.npz", "utterances.csv")
    weights = profile(study.variants["causal"].codec).parameters / 2**20

    def left(rule: str, outputs: tuple[str, ...], **wildcards: str) -> list[Stored]:
        return stored_by(Job(rule, wildcards, outputs=outputs, benchmark="b"), study, known)

    arm = {"variant": "causal", "seed": "1"}
    records = Stored("records", 5, 0.0)
    corpus = (100 * 16000 * 2 + 10 * 245) / 2**20
    assert left("corpus", outputs) == [Stored("corpus", 3, corpus), records]
    assert left("train", outputs, **arm) == [
        Stored("models", 3, 4 * weights),
        Stored("states", 3, 48 * weights),
        records,
    ]
    decoded = 1.2 * 20 * 16000 / 2**20
    assert left("decode", outputs, **arm) == [Stored("decoded", 4, decoded), records]
    # At two points the folders of audio are two of the outputs.
    twice = left("decode_points", outputs * 2, variant="baseline", seed="1")
    assert twice[0] == Stored("decoded", 8, 2 * decoded)
    rows = 2 * len(study.computed)
    scores = Stored("scores, tables", 1, 145 * rows / 2**20)
    assert left("score", ("native.csv",), **arm)[0] == scores
    assert left("all", ()) == []


def test_jobs_of_another_test_set_take_its_audio_at_one_point(study: Study) -> None:
    voices = {"train": {"minutes": 9.0}, "test": {"voices": 2, "utterances": 5}}
    own = config.TestSet("synthetic", synthetic=validate(config.Synthetic, voices))
    noisy = config.TestSet("altered", altered=config.Altered(of="own", noise_db=20.0))
    quiet = config.TestSet("altered", altered=config.Altered(gain_db=-6.0))
    known = replace(study, tests={"noisy": noisy, "own": own, "quiet": quiet})
    audio = {name: each.seconds for name, each in speech_by_test(known).items()}
    assert audio["own"] == audio["noisy"] == {"test": 10 * SPOKEN}
    assert audio["quiet"] == {"test": audio["main"]["test"]}
    found, outputs = calibration(study), ("file",)
    arm = {"test": "noisy", "variant": "baseline", "seed": "1"}
    decoding, scoring = (Job(rule, arm, outputs=outputs) for rule in ("decode_test", "score_test"))
    here = Amount({"test": 20.0}, {"test": 4}, "")
    assert job_seconds(decoding, known, found, here) == pytest.approx(2 + 20 * 0.1)
    metrics = len(study.metrics.names)
    assert job_seconds(scoring, known, found, here) == pytest.approx(3 + 20 * 0.01 * metrics)


def test_a_training_takes_its_steps_and_validations() -> None:
    config = read_yaml(ROOT / "config.yaml")
    config["training"] |= {"start": "scratch", "steps": 100, "batch": 2, "validate_every": 50}
    config["training"]["loss"] |= {"adversarial": 1.0}
    config["training"]["discriminator"] = {"share": 0.25}
    study = resolve(config)
    found = training_seconds(study.variants["baseline"], TrainingCost(0.5, 1.0, 0.1))
    assert found == pytest.approx(75 * 0.5 + 25 * 1.0 + 2 * 16 / 2 * 0.5 / 3)


def test_each_job_takes_its_share_of_the_audio(study: Study) -> None:
    seconds = {"train": 60.0, "validation": 10.0, "test": 20.0}
    found, speech = calibration(study), Amount(seconds, dict.fromkeys(seconds, 10), "")
    seconds = {
        job.name: job_seconds(job, study, found, speech)
        for job in smoke_jobs()
        if job.arm in ("", "baseline", "causal", "opus-6k")
    }
    every, few = len(study.metrics.names), 2  # metrics, each 0.01 s per s
    assert seconds["corpus"] == pytest.approx(2 + 90 * 0.01 / 2)  # on two cores
    # Encoded once, as half of what one point takes, and decoded at two.
    assert seconds["decode_points/baseline/1"] == pytest.approx(2 + 20 * 0.1 * 3 / 2)
    assert seconds["decode/causal/1"] == pytest.approx(2 + 20 * 0.1)
    assert seconds["score_points/baseline/1"] == pytest.approx(3 + 20 * 0.01 * (every + few))
    assert seconds["score/causal/1"] == pytest.approx(3 + 20 * 0.01 * every)
    assert seconds["score_other_codec/opus-6k"] == pytest.approx(3 + 20 * 0.01 * every)
    assert seconds["entropy_models/baseline/1"] == pytest.approx(2 + 30 * 0.1 / 2)
    assert seconds["precision/baseline/1"] == pytest.approx(2 + 2 * 20 * 0.1 / 2)
    assert seconds["lengths/baseline/1"] == pytest.approx(2 + 20 * 2 * (0.1 + 0.01 * few))
    starts = "rates/baseline/1", "comparisons_table", "scores_table"
    assert [seconds[name] for name in starts] == [2, 2, 2]
    assert seconds["all"] == 0


def test_memory_is_measured_where_a_training_was_else_as_requested(study: Study) -> None:
    known = calibration(study)
    unknown = replace(known, trainings=dict.fromkeys(known.trainings, TrainingCost(1, 1, 1)))
    for job in smoke_jobs():
        requested = job.requested_mib
        if job.rule in ("train", "trunk"):
            assert job_mib(job, study, known) == 400
        elif not math.isnan(requested):
            assert job_mib(job, study, known) == requested > 900
        assert job_mib(job, study, unknown) == pytest.approx(requested, nan_ok=True)


def job(name: str, after: str = "", cores: int = 1, gpus: int = 0) -> Job:
    """Return a job that writes a file of its name."""
    return Job(name, inputs=(after,) if after else (), outputs=(name,), cores=cores, gpus=gpus)


def same_time(jobs: list[Job], seconds: float, cores: int, gpus: int = 0) -> float:
    return total_time(jobs, {job.name: seconds for job in jobs}, cores, gpus)


def test_schedules_of_closed_form() -> None:
    assert same_time([job(str(n)) for n in range(7)], 1, cores=3) == 3
    chain = [job(str(n), after=str(n - 1)) for n in range(4)]
    assert same_time(chain, 2, cores=9) == 8
    wide = [job("wide", cores=64), job("a"), job("b")]
    assert total_time(wide, {"wide": 5, "a": 1, "b": 1}, cores=2, gpus=0) == 6
    on_gpu = [job(str(n), gpus=1) for n in range(4)]
    assert same_time(on_gpu, 1, cores=8, gpus=2) == 2
    over_nodes = [job(str(n), cores=2) for n in range(4)]
    assert same_time(over_nodes, 1, cores=4) == 2
    with pytest.raises(TaaeError, match="needs 1 GPU"):
        same_time(on_gpu, 1, cores=8)


@given(
    st.lists(st.tuples(st.floats(0.1, 10), st.integers(0, 5)), min_size=1, max_size=12),
    st.integers(1, 4),
)
def test_schedules_are_within_grahams_bound(shape: list[tuple[float, int]], cores: int) -> None:
    """Any list schedule takes at most (2 - 1/m) times the best one's (Graham 1969)."""
    planned, paths = [], []
    for number, (seconds, back) in enumerate(shape):
        before = [number - back] if 0 < back <= number else []
        planned.append(job(str(number), *map(str, before)))
        paths.append(seconds + max((paths[n] for n in before), default=0.0))
    least = max(max(paths), sum(seconds for seconds, _ in shape) / cores)
    times = {str(number): seconds for number, (seconds, _) in enumerate(shape)}
    found = total_time(planned, times, cores, 0)
    assert least - 1e-9 <= found
    assert found <= sum(s for s, _ in shape) / cores + (1 - 1 / cores) * max(paths) + 1e-9


@pytest.mark.usefixtures("listed")
def test_plan_beside_a_run(
    study: Study,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(plan, "calibrate", lambda study, cores, rate: calibration(study))
    cost = calibration(study).trainings["baseline"]
    expected = 2 + training_seconds(study.variants["baseline"], cost)
    times = tmp_path / "results" / "benchmarks" / "train" / "baseline" / "seed1.tsv"
    times.parent.mkdir(parents=True)
    times.write_text(f"s\th:m:s\tmax_rss\n{2 * expected}\t0:00:10\t512.5\n")
    words = ["plan", "--configfile", *SMOKE, "--cores", "2", "--gpus", "0"]
    words += ["--results", tmp_path / "results", "--output", tmp_path / "plan.csv"]
    assert cli.main([str(word) for word in words]) == 0
    rows = pd.read_csv(tmp_path / "plan.csv").set_index("job")
    row = rows.loc["train/baseline/1"]
    assert row["off_percent"] == pytest.approx(-50, abs=0.1)
    assert rows["off_percent"].notna().sum() == 1
    printed = capsys.readouterr().out
    # Of the trunk all minutes are of training: 2 s to start, 6 steps and a validation.
    assert study.trunk
    trunk = (2 + training_seconds(study.trunk, cost)) / 60
    assert re.search(rf"^ *trunk +1 +{trunk:.1f} +{trunk:.1f} +400\.0 ", printed, re.MULTILINE)
    assert re.search(r"^ *train +4 .* -(50.0|49\.\d)$", printed, re.MULTILINE)
    assert re.search(r"^ *baseline .* -(50.0|49\.\d)$", printed, re.MULTILINE)
    assert re.search(r"all measured jobs: off by -(50.0|49\.\d) %", printed)
    assert "on 2 cores" in printed
    assert re.search(r"^ *states +15 ", printed, re.MULTILINE)


@pytest.mark.usefixtures("listed")
def test_what_is_not_known_is_not_nothing(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = calibration(study)
    trainings = dict.fromkeys(known.trainings, TrainingCost(math.nan, math.nan, 0.0))
    monkeypatch.setattr(plan, "calibrate", lambda *_, **__: replace(known, trainings=trainings))
    plan.plan(study=SMOKE, cores=2)
    printed = capsys.readouterr().out
    assert re.search(r"^ *train +4 +- +- ", printed, re.MULTILINE)
    assert "give --gpu-tflops" in printed
    assert "from start to end" not in printed


@pytest.mark.slow
def test_a_calibration(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["si_sdr", "stft_distance"]
    few = replace(study, metrics=replace(study.metrics, names=names))
    few = replace(few, variants={"baseline": study.variants["baseline"]})
    found = calibrate.calibrate(few, cores=1)
    assert set(found.scoring) == set(names)
    assert found.trainings["baseline"].step > 0
    assert found.corpus > 0 < found.start_scoring


@pytest.mark.slow
def test_recordings_are_read_faster_than_they_are_spoken(tmp_path: Path) -> None:
    with speech_corpus() as corpus:
        assert 0 < calibrate._reading(corpus, tmp_path) < 1


@pytest.mark.parametrize(
    ("training", "copies"),
    [
        ({}, 1),
        ({"processes": 2}, 2),
        ({"processes": 2, "nodes": 2}, 2),
        ({"nodes": 2}, 1),
        ({"gpus": 2}, 1),
    ],
)
def test_each_process_of_a_training_takes_memory(training: dict[str, int], copies: int) -> None:
    study = resolve(tiny_config({"batch": 4, **training}))
    train = Job("train", {"variant": "baseline", "seed": "1"}, outputs=("model",))
    found = job_mib(train, study, calibration(study))
    assert found == pytest.approx(copies * 400)


def test_processes_share_the_cost_of_a_step() -> None:
    whole, halves = (tiny({"batch": 4, "processes": count}) for count in (1, 2))
    half = tiny({"batch": 2})
    assert key(halves) == key(half) != key(whole)
