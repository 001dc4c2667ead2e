"""Atomic writing, and the checkpoints that rely on it."""

from __future__ import annotations

import errno
import os
import platform
import signal
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pandas as pd
import pytest
import torch

from taae.training import checkpoint
from taae.utils import files
from taae.utils.errors import TaaeError
from taae.utils.files import atomic, read_csv, write_csv, write_json, write_text

FORK = get_context("fork")


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_csv(pd.DataFrame({"a": [1]}), path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="half"), atomic(path) as temporary:
        temporary.write_text("half a ta")
        raise ValueError("half")
    assert path.read_bytes() == before
    assert listing(tmp_path) == ["table.csv"]


def test_a_folder_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with atomic(tmp_path / "audio") as temporary:
            temporary.mkdir()
            (temporary / name).touch()
    assert listing(tmp_path) == ["audio"]
    assert listing(tmp_path / "audio") == ["new"]


def test_where_the_new_folder_cannot_be_put_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "old").touch()

    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", refuse)
    with (
        pytest.raises(TaaeError, match="audio: cannot write here"),
        atomic(tmp_path / "audio") as new,
    ):
        new.mkdir()
    assert listing(tmp_path) == ["audio"]
    assert listing(tmp_path / "audio") == ["old"]


def test_what_a_killed_writer_left_goes_and_a_living_ones_stays(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    writer = FORK.Process(target=write_and_die, args=(path,))
    writer.start()
    writer.join()
    (left,) = tmp_path.iterdir()
    (tmp_path / ".other.csv.mine").mkdir()
    with atomic(path) as outer:
        assert not left.exists()
        outer.write_text("outer")
        write_text("inner", path)
    assert path.read_text() == "outer"
    assert listing(tmp_path) == [".other.csv.mine", "table.csv"]


def test_what_a_killed_writer_of_another_file_left_stays(tmp_path: Path) -> None:
    for name in ("model2", "model.partial", "model-1-partial-2", "a.model"):
        (tmp_path / f".{name}.partial-x").mkdir()
    before = listing(tmp_path)
    write_text("", tmp_path / "model")
    assert listing(tmp_path) == sorted([*before, "model"])


def test_of_two_writers_at_once_the_last_one_wins_whole(tmp_path: Path) -> None:
    """Neither sweeps what the other is writing, and no reader sees a mixture."""
    path = tmp_path / "table.csv"
    together = FORK.Barrier(3)
    writers = [FORK.Process(target=write_often, args=(path, name, together)) for name in "12"]
    for writer in writers:
        writer.start()
    together.wait()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert path.read_text() in ("1" * 10_000, "2" * 10_000)
    assert listing(tmp_path) == ["table.csv"]


def write_often(path: Path, name: str, together: Barrier) -> None:
    together.wait()
    for _ in range(50):
        write_text(name * 10_000, path)
        assert path.read_text() in ("1" * 10_000, "2" * 10_000)


def test_what_a_process_of_another_machine_is_writing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number says nothing here: on a shared disk a machine sweeps what is its own."""
    path = tmp_path / "table.csv"
    writer = FORK.Process(target=write_and_die, args=(path,))
    writer.start()
    writer.join()
    (left,) = tmp_path.iterdir()
    monkeypatch.setattr(platform, "node", lambda: "elsewhere")
    write_text("whole", path)
    assert left.exists()
    monkeypatch.undo()
    write_text("whole", path)
    assert listing(tmp_path) == ["table.csv"]


def write_and_die(path: Path) -> None:
    with atomic(path) as temporary:
        temporary.write_text("half a ta")
        os.kill(os.getpid(), signal.SIGKILL)


def test_where_nothing_can_be_written_the_error_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TaaeError, match="cannot write"):
        write_json({}, tmp_path / "file" / "deeper" / "x.json")


def test_the_hash_of_a_file_is_that_of_its_content(tmp_path: Path) -> None:
    """Oracle: the example of FIPS 180-4."""
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.file_sha256(tmp_path / "abc") == expected
    with pytest.raises(TaaeError, match=r"none: cannot be read \(No such file"):
        files.file_sha256(tmp_path / "none")


def test_reading_what_is_no_table_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    with pytest.raises(TaaeError, match="no such file"):
        read_csv(path, ["a"])
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TaaeError, match="no column c"):
        read_csv(path, ["a", "c"])
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TaaeError, match="not a readable CSV"):
        read_csv(path, ["a"])


def test_text_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("name,value\nNA,1\nnull,\n007,NaN\n,2\n")
    table = read_csv(path, ["name", "value"], ["name", "another"])
    assert table["name"].tolist()[:3] == ["NA", "null", "007"]
    assert table["name"].isna().tolist() == [False, False, False, True]
    assert table["value"].isna().tolist() == [False, True, True, False]


def test_the_newest_undamaged_checkpoint_is_loaded(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path) is None
    for step in (1, 2, 3):
        checkpoint.save({"step": step, "weights": torch.full((3,), float(step))}, step, tmp_path)
    names = listing(tmp_path)
    assert [name[:13] for name in names] == ["step-00000002", "step-00000003"]
    newest = tmp_path / names[-1]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    state = checkpoint.load(tmp_path)
    assert state is not None
    assert state["step"] == 2
    assert torch.equal(state["weights"], torch.full((3,), 2.0))


def test_a_checkpoint_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (marker,))  # type: ignore[return-value]

    folder = tmp_path / "state"
    checkpoint.save({"step": 1, "evil": Evil()}, 1, folder)
    with pytest.raises(TaaeError, match="refused"):
        checkpoint.load(folder)
    assert not marker.exists()
