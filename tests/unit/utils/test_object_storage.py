"""A folder of object storage, on a real S3 server."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from taae.utils.errors import TaaeError
from taae.utils.object_storage import ObjectFolder
from tests.s3_server import s3_server

boto3 = pytest.importorskip("boto3")
BUCKET = "unit"


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[str]:
    with s3_server(BUCKET) as address:
        yield address


def keys() -> list[str]:
    """What the server has, by another client."""
    found = boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return [item["Key"] for item in found]


def test_a_folder_keeps_files_until_they_are_removed(tmp_path: Path) -> None:
    folder = ObjectFolder(f"s3://{BUCKET}/a/b/")
    beside = ObjectFolder(f"s3://{BUCKET}/a/b2")
    assert folder.names() == []
    content = os.urandom(10_000)
    (tmp_path / "two").write_bytes(content)
    (tmp_path / "one").write_bytes(b"")
    (folder / "deep").upload(tmp_path / "two")
    for name in ("two", "one"):
        folder.upload(tmp_path / name)
    beside.upload(tmp_path / "one")
    assert keys() == ["a/b/deep/two", "a/b/one", "a/b/two", "a/b2/one"]
    assert folder.names() == ["deep/two", "one", "two"]
    folder.download("deep/two", tmp_path / "new" / "copy")
    assert (tmp_path / "new" / "copy").read_bytes() == content
    folder.remove("two")
    folder.remove("two")
    assert folder.names() == ["deep/two", "one"]
    assert ObjectFolder(f"s3://{BUCKET}").names() == ["a/b/deep/two", "a/b/one", "a/b2/one"]


def test_a_file_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TaaeError, match=f"^s3://{BUCKET}/a: refused .*NoSuchKey"):
        ObjectFolder(f"s3://{BUCKET}/a").download("none", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["results", "/results", "http://host/results", "s3:///results"])
def test_what_is_no_folder_of_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(TaaeError, match="not the URL of a folder of object storage"):
        ObjectFolder(url)


def test_the_bucket_has_to_be_there() -> None:
    with pytest.raises(TaaeError, match=r"^s3://elsewhere/a: no such bucket; make it$"):
        ObjectFolder("s3://elsewhere/a").names()


def test_without_credentials_it_says_where_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(TaaeError, match="no credentials; set AWS_ACCESS_KEY_ID and"):
        ObjectFolder(f"s3://{BUCKET}/a").names()


def test_a_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(TaaeError, match=f"^s3://{BUCKET}/a: not reached .*{address}"):
        ObjectFolder(f"s3://{BUCKET}/a").names()


def test_a_key_that_is_refused_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    with pytest.raises(TaaeError, match=f"^s3://{BUCKET}/a: "):
        ObjectFolder(f"s3://{BUCKET}/a").names()
