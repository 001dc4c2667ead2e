"""Downloading against a server that cuts, lies and serves the wrong; unpacking what is hostile."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from taae.cli import main
from taae.corpus import download, http_stream
from taae.corpus.config import ARCHIVES, Archive
from taae.utils.errors import TaaeError
from tests.faults.server import Fault, Handler, Server, cut, serve, serving, status, whole

SUBSET = "dev-clean"
Member = tuple[tarfile.TarInfo, bytes]


def plain(name: str, content: bytes = b"x") -> Member:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, content


def special(name: str, kind: bytes, target: str = "") -> Member:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def tar(*members: Member) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as file:
        for member, content in members:
            file.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)


NOISE = np.random.default_rng(0).bytes(3_000_000)  # does not compress, as FLAC does not
FILES = {f"84/100/84-100-{n:04d}.flac": NOISE[n * 10**6 : (n + 1) * 10**6] for n in range(3)}
GOOD = tar(
    plain("LibriSpeech/README.TXT", b"read me"),
    *(plain(f"LibriSpeech/{SUBSET}/{name}", content) for name, content in FILES.items()),
)


def published(content: bytes) -> Archive:
    return Archive(len(content), hashlib.md5(content).hexdigest())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_stream, "RETRIES", http_stream.RETRIES.new(backoff_factor=0))
    monkeypatch.setattr(download, "BLOCK", 2**16)
    monkeypatch.setitem(ARCHIVES, SUBSET, published(GOOD))


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(GOOD) as running:
        yield running


def bring(server: Server, folder: Path) -> dict[str, object]:
    return download.download(SUBSET, server.url, folder)


def check_whole(folder: Path) -> None:
    subset = folder / SUBSET
    found = {
        path.relative_to(subset).as_posix(): path.read_bytes() for path in subset.rglob("*.flac")
    }
    assert found == FILES
    assert (folder / "README.TXT").read_bytes() == b"read me"
    left = {path.name for path in (folder / ".download").iterdir()}
    assert left == {f"{SUBSET}.lock"}


def test_the_table_is_of_real_sums() -> None:
    assert len({archive.md5 for archive in ARCHIVES.values()}) == len(ARCHIVES) == 7
    assert all(len(bytes.fromhex(archive.md5)) == 16 for archive in ARCHIVES.values())


def late(handler: Handler, content: bytes, start: int | None) -> None:
    """Claim one byte more than there is."""
    serve(handler, content, start, len(content) - (start or 0) + 1)


def early(handler: Handler, content: bytes, start: int | None) -> None:
    """Claim 1000 bytes fewer than there are."""
    serve(handler, content, start, len(content) - (start or 0) - 1000)


def compressed(handler: Handler, content: bytes, start: int | None) -> None:
    """Call the archive's own compression an encoding, as some servers do."""
    handler.reply(200, content, Content_Encoding="x-gzip")


@pytest.mark.parametrize(
    ("faults", "requests"),
    [
        ([], 1),
        ([cut(0.5)], 2),
        ([cut(0.5)] * 5, 6),
        ([cut(0.3), cut(0.9)], 3),
        ([cut(0.5), whole], 2),
        ([cut(0.5), status(503), status(500), status(429)], 5),
        ([status(503)], 2),
        ([late], 1),
        ([cut(0.5), late], 2),
        ([early], 2),
        ([cut(0.5), early], 3),
        ([compressed], 1),
    ],
)
def test_what_is_cut_or_lied_about_is_completed(
    server: Server, tmp_path: Path, faults: list[Fault], requests: int
) -> None:
    server.faults = faults
    receipt = bring(server, tmp_path)
    assert receipt["files"] == 4
    check_whole(tmp_path)
    assert len(server.asked) == requests


def test_a_later_call_asks_for_the_rest_alone(server: Server, tmp_path: Path) -> None:
    server.faults = [cut(0.5), cut(0.0)]
    with pytest.raises(TaaeError, match=r"bytes are in .*: the same command goes on"):
        bring(server, tmp_path)
    begun = tmp_path / ".download" / f"{SUBSET}.tar.gz"
    have = begun.stat().st_size
    assert begun.read_bytes() == GOOD[:have]
    assert 0.49 * len(GOOD) < have < 0.51 * len(GOOD)
    server.asked.clear()
    server.faults = []
    bring(server, tmp_path)
    assert server.asked == [have]
    check_whole(tmp_path)


def test_no_server(tmp_path: Path) -> None:
    with serving(GOOD) as gone:
        pass
    with pytest.raises(TaaeError, match=r"0 of \d+ bytes"):
        bring(gone, tmp_path)
    assert not (tmp_path / SUBSET).exists()


@pytest.mark.parametrize("code", [404, 403, 410])
def test_a_refusal_is_told_at_once_and_a_later_call_works(
    server: Server, tmp_path: Path, code: int
) -> None:
    server.faults = [status(code)]
    with pytest.raises(TaaeError, match=f"{SUBSET}.tar.gz: {code} .*corpus.librispeech.url"):
        bring(server, tmp_path)
    assert len(server.asked) == 1
    bring(server, tmp_path)
    check_whole(tmp_path)


def changed(content: bytes) -> bytes:
    return content[:100] + b"\0" + content[101:]


@pytest.mark.parametrize(
    "content",
    [
        changed(GOOD),
        GOOD[:-1000],
        GOOD + b"x" * 1000,
        b"<html>Log in first</html>",
    ],
)
def test_a_wrong_file_is_refused_and_removed(tmp_path: Path, content: bytes) -> None:
    with (
        serving(content) as server,
        pytest.raises(TaaeError, match="not the published file: its MD5 is"),
    ):
        bring(server, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".download"]
    assert [path.name for path in (tmp_path / ".download").iterdir()] == [f"{SUBSET}.lock"]


def other_part(handler: Handler, content: bytes, start: int | None) -> None:
    """Send another part than was asked for."""
    where = f"bytes 7-{len(content) - 1}/{len(content)}"
    handler.reply(206, content[7:], Content_Range=where)


@pytest.mark.parametrize(
    ("begun", "faults"),
    [(changed(GOOD)[:1000], []), (GOOD[:1000], [other_part]), (GOOD + b"more", [])],
)
def test_a_part_of_another_file_is_found_out(
    server: Server, tmp_path: Path, begun: bytes, faults: list[Fault]
) -> None:
    """The next call starts anew."""
    archive = tmp_path / ".download" / f"{SUBSET}.tar.gz"
    archive.parent.mkdir()
    archive.write_bytes(begun)
    server.faults = faults
    with pytest.raises(TaaeError, match="not the published file"):
        bring(server, tmp_path)
    assert not archive.exists()
    bring(server, tmp_path)
    check_whole(tmp_path)


def test_an_archive_that_was_not_unpacked_is_not_fetched_again(
    server: Server, tmp_path: Path
) -> None:
    """As after a kill in the midst of unpacking: the half that was written is not trusted."""
    with subprocess.Popen(["true"]) as gone:
        pass
    half = tmp_path / f".{SUBSET}.partial-{platform.node()}-{gone.pid}-x" / "LibriSpeech" / SUBSET
    half.mkdir(parents=True)
    (half / "junk.flac").write_bytes(b"half")
    (tmp_path / ".download").mkdir()
    (tmp_path / ".download" / f"{SUBSET}.tar.gz").write_bytes(GOOD)
    bring(server, tmp_path)
    assert server.asked == []
    check_whole(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {SUBSET, ".download", "README.TXT"}


def test_what_is_there_is_left_alone(server: Server, tmp_path: Path) -> None:
    receipt = bring(server, tmp_path)
    before = (tmp_path / SUBSET).stat().st_mtime_ns
    assert bring(server, tmp_path) == receipt
    assert len(server.asked) == 1
    assert (tmp_path / SUBSET).stat().st_mtime_ns == before


def test_a_folder_of_another_origin_is_not_trusted(server: Server, tmp_path: Path) -> None:
    (tmp_path / SUBSET).mkdir()
    (tmp_path / SUBSET / "mine.flac").touch()
    with pytest.raises(TaaeError, match="may be incomplete; move it away, or set"):
        bring(server, tmp_path)
    assert (tmp_path / SUBSET / "mine.flac").exists()
    assert server.asked == []


def test_two_at_once_download_once(server: Server, tmp_path: Path) -> None:
    def slow(handler: Handler, content: bytes, start: int | None) -> None:
        time.sleep(0.5)
        serve(handler, content, start)

    server.faults = [slow]
    threads = [threading.Thread(target=bring, args=(server, tmp_path)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.asked == [0]
    check_whole(tmp_path)


def test_too_small_a_disk_is_told_before(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(TaaeError, match=r"0.0 GB are free; dev-clean needs 0.0 GB"):
        bring(server, tmp_path)
    assert server.asked == []


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TaaeError, match="cannot write here"):
        bring(server, tmp_path / "file")


HOSTILE = {
    "parent": plain("LibriSpeech/../../escaped"),
    "absolute": plain("/tmp/escaped"),
    "symbolic link": special("LibriSpeech/a", tarfile.SYMTYPE, "/tmp"),
    "hard link": special("LibriSpeech/a", tarfile.LNKTYPE, "/etc/passwd"),
    "character device": special("LibriSpeech/a", tarfile.CHRTYPE),
    "block device": special("LibriSpeech/a", tarfile.BLKTYPE),
    "fifo": special("LibriSpeech/a", tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_takes_no_place(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even under the right MD5."""
    content = tar(plain(f"LibriSpeech/{SUBSET}/1/2/1-2-0.flac"), HOSTILE[what])
    monkeypatch.setitem(ARCHIVES, SUBSET, published(content))
    with serving(content) as server, pytest.raises(TaaeError, match=r"refused: .* no plain file"):
        bring(server, tmp_path / "to")
    assert {path.name for path in (tmp_path / "to").iterdir()} == {".download"}
    assert [path.name for path in tmp_path.iterdir()] == ["to"]
    assert not Path("/tmp/escaped").exists()


def test_the_modes_of_an_archive_are_not_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, content = plain(f"LibriSpeech/{SUBSET}/a.flac")
    member.mode = 0o4777
    archive = tar((member, content))
    monkeypatch.setitem(ARCHIVES, SUBSET, published(archive))
    with serving(archive) as server:
        bring(server, tmp_path)
    assert (tmp_path / SUBSET / "a.flac").stat().st_mode & 0o7111 == 0


@pytest.fixture
def study(server: Server, tmp_path: Path) -> Callable[..., Path]:
    def write(**settings: object) -> Path:
        subsets = {split: [SUBSET] for split in ("train", "validation", "test")}
        section = {"path": str(tmp_path / "data"), "url": server.url, "download": True}
        sections = ("model", "attention", "bottleneck", "training", "decoding")
        config = {name: {} for name in (*sections, "metrics", "statistics")} | {
            "corpus": {"kind": "librispeech", "librispeech": subsets | section | settings}
        }
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    return write


def test_the_stage(study: Callable[..., Path], tmp_path: Path) -> None:
    command = ["download", "--study", str(study()), "--output", str(tmp_path / "out")]
    assert main(command) == 0
    check_whole(tmp_path / "data")
    receipt = json.loads((tmp_path / "out" / f"{SUBSET}.json").read_text())
    assert receipt == {"subset": SUBSET, "md5": published(GOOD).md5, "files": 4}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": ""}, "corpus.librispeech.path is empty: set it to the folder to download to"),
        ({"train": ["train-clean-1000"]}, "no subset 'train-clean-1000' is published; there are"),
        ({"url": "file:///etc"}, "corpus.librispeech.url"),
        ({"download": False}, "the study downloads nothing"),
    ],
)
def test_studies_that_cannot_be_downloaded(
    study: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, object],
    message: str,
) -> None:
    command = ["download", "--study", str(study(**settings)), "--output", str(tmp_path / "out")]
    assert main(command) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
