"""GPUs: which ones are visible, and that no two jobs have one. The devices are made up."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from taae import cli
from taae.utils import gpus as devices
from taae.utils.errors import TaaeError
from taae.utils.gpus import compute, hold, visible

UUIDS = ["GPU-a1", "GPU-b1", "GPU-b2"]
TWO = UUIDS[:2]
FORK = get_context("fork")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (None, UUIDS),
        ("", []),
        ("NoDevFiles", []),
        ("1", ["GPU-b1"]),
        ("2,0", ["GPU-b2", "GPU-a1"]),
        ("0, 1", ["GPU-a1", "GPU-b1"]),
        ("0,-1,1", ["GPU-a1"]),
        ("0,3,1", ["GPU-a1"]),
        ("0,x", ["GPU-a1"]),
        ("1,1", []),
        ("0,GPU-a1", []),
        ("GPU-b2,GPU-a1", ["GPU-b2", "GPU-a1"]),
        ("GPU-a,0", []),
        ("GPU-a,1", ["GPU-a1", "GPU-b1"]),
        ("GPU-b", []),  # of two GPUs
        ("MIG-1/7/0", ["MIG-1/7/0"]),
    ],
)
def test_visible_devices_are_those_that_cuda_shows(
    setting: str | None, expected: list[str]
) -> None:
    assert visible(setting, UUIDS) == expected


def test_a_gpu_has_one_identity_whatever_it_is_called() -> None:
    for setting in ("1", "GPU-b1", "2,1", None):
        assert "GPU-b1" in visible(setting, UUIDS)


def test_without_nvidia_smi_the_setting_is_believed() -> None:
    assert visible("3,GPU-x,x", []) == ["3", "GPU-x"]
    assert visible(None, []) == []


@given(st.lists(st.sampled_from(["0", "1", "2", *UUIDS, "7", "", "-1"])).map(",".join))
def test_what_is_shown_is_the_beginning_of_the_setting(setting: str) -> None:
    found = visible(setting, UUIDS)
    begin = setting.split(",")[: len(found)]
    assert found == [UUIDS[int(name)] if name.isdecimal() else name for name in begin]
    assert len(set(found)) == len(found)


def job(count: int, folder: Path, index: int, together: Barrier) -> None:
    """Hold devices for a moment; a file each says from when to when."""
    together.wait()
    with hold(count, TWO, folder, poll=0.01) as held:
        begin = time.monotonic()
        time.sleep(0.1)
        names = "+".join(held)
        (folder / f"job-{index}").write_text(f"{names} {begin} {time.monotonic()}")


def intervals(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Return device -> when it was held."""
    found: dict[str, list[tuple[float, float]]] = {}
    for path in folder.glob("job-*"):
        names, begin, end = path.read_text().split()
        for name in names.split("+"):
            found.setdefault(name, []).append((float(begin), float(end)))
    return {name: sorted(times) for name, times in found.items()}


@pytest.mark.parametrize("counts", [[1] * 5, [2, 1, 2, 1, 2]])
def test_jobs_share_devices_without_meeting(tmp_path: Path, counts: list[int]) -> None:
    together = FORK.Barrier(len(counts))
    jobs = [(count, tmp_path, index, together) for index, count in enumerate(counts)]
    processes = [FORK.Process(target=job, args=arguments) for arguments in jobs]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    held = intervals(tmp_path)
    assert sorted(held) == TWO
    assert sum(len(times) for times in held.values()) == sum(counts)
    for times in held.values():
        assert all(end <= begin for (_, end), (begin, _) in pairwise(times))


def test_a_part_of_a_gpu_may_have_slashes_in_its_name(tmp_path: Path) -> None:
    parts = ["MIG-GPU-a1/7/0", "MIG-GPU-a1/8/0"]
    with hold(1, parts, tmp_path) as first, hold(1, parts, tmp_path) as second:
        assert [*first, *second] == parts
    assert {path.name for path in tmp_path.iterdir()} == {
        "all",
        *(name.replace("/", "-") for name in parts),
    }


def test_a_killed_holder_frees_its_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def keep() -> None:
        with hold(1, TWO[:1], tmp_path):
            (tmp_path / "held").touch()
            time.sleep(60)

    holder = FORK.Process(target=keep)
    holder.start()
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        if line.startswith("waiting"):
            holder.kill()

    monkeypatch.setattr(devices, "log", log)
    with hold(1, TWO[:1], tmp_path, poll=0.01) as held:
        assert held == TWO[:1]
    assert lines == [
        "waiting for 1 of 1 GPUs: other jobs of this user hold them",
        "GPU GPU-a1: free now",
    ]
    holder.join(60)
    assert holder.exitcode == -signal.SIGKILL


def test_a_job_without_gpus_sees_the_cpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "installed", lambda: UUIDS)
    with compute(0) as device:
        assert device == "cpu"


def test_a_job_has_its_own_gpus_before_cuda_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(devices, "installed", lambda: UUIDS)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,1")
    with compute(1) as device:
        assert (device, os.environ["CUDA_VISIBLE_DEVICES"]) == ("cuda", "GPU-b2")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,1")  # what another process would see
        with compute(1):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-b1"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,1"
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("setting", "uuids", "words"),
    [
        (None, [], r"1 asked for, but no GPU is visible here \(as nvidia-smi says\)"),
        ("", UUIDS, r"no GPU is visible here \(CUDA_VISIBLE_DEVICES is ''\)"),
        ("0", UUIDS, "PyTorch .* cannot use it"),
    ],
)
def test_an_absent_gpu_is_one_clear_error(
    setting: str | None, uuids: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "installed", lambda: uuids)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if setting is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    with pytest.raises(TaaeError, match=words), compute(1):
        pass


def test_more_gpus_than_there_are_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(TaaeError, match="3 asked for, but only 2"), hold(3, TWO, tmp_path):
        pass


def test_every_stage_that_may_use_a_gpu_holds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(devices, "installed", lambda: [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    study = Path(__file__).parents[3] / "config.yaml"
    gpu = tmp_path / "gpu.yaml"
    gpu.write_text("training: {gpus: 1}\n")
    model = ["--corpus", "none", "--model", "none", "--output", str(tmp_path / "out")]
    run = ["--study", str(study), str(gpu), "--variant", "baseline", "--seed", "1"]
    for words in (
        ["train", *run, "--corpus", "none", "--output", "none", "--state", "none"],
        ["decode", "--study", str(study), *model, "--gpus", "1"],
        ["entropy-models", *model, "--gpus", "1"],
        ["precision", *model, "--gpus", "1"],
        ["lengths", *run, *model, "--gpus", "1"],
    ):
        assert cli.main(words) == 1
        assert "no GPU is visible here" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
