"""States of a training in object storage, on a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from taae.training import checkpoint
from taae.utils.object_storage import ObjectFolder
from tests.s3_server import s3_server

BUCKET = "checkpoints"


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[str]:
    with s3_server(BUCKET) as address:
        yield address


def state(step: int) -> dict[str, object]:
    return {"step": step, "weights": torch.full((3,), float(step))}


def test_the_newest_state_alone_is_stored_and_another_disk_gets_it(tmp_path: Path) -> None:
    states = ObjectFolder(f"s3://{BUCKET}/state")
    for step in (1, 2, 3):
        checkpoint.save(state(step), step, tmp_path / "one", states / "0123456789abcdef")
    (stored,) = states.names()
    assert stored.startswith("0123456789abcdef/step-00000003-")
    found = checkpoint.load(tmp_path / "two", states / "0123456789abcdef")
    assert found is not None and found["step"] == 3
    assert torch.equal(found["weights"], torch.full((3,), 3.0))
    # Nor is another training's state of any use, once this one has ended.
    checkpoint.save(state(9), 9, tmp_path / "other", states / "fedcba9876543210")
    checkpoint.clear(tmp_path, states)
    assert states.names() == []


def test_a_newer_state_on_the_disk_is_taken(tmp_path: Path) -> None:
    states = ObjectFolder(f"s3://{BUCKET}/older")
    checkpoint.save(state(1), 1, tmp_path, states)
    checkpoint.save(state(2), 2, tmp_path)
    found = checkpoint.load(tmp_path, states)
    assert found is not None and found["step"] == 2


def test_a_storage_that_fails_ends_no_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint.save(state(1), 1, tmp_path, ObjectFolder("s3://no-such-bucket/state"))
    assert "s3://no-such-bucket/state: " in capsys.readouterr().err
    found = checkpoint.load(tmp_path)
    assert found is not None and found["step"] == 1
