"""Downloading against a server that cuts, lies and serves the wrong; unpacking what is hostile."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from taae.cli import main
from taae.corpus import archives, download, fetch
from taae.corpus.archives import ARCHIVES, Archive
from taae.corpus.unpack import unpack
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
    return Archive(SUBSET, len(content), hashlib.md5(content).hexdigest())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    monkeypatch.setattr(fetch, "BLOCK", 2**16)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(GOOD) as running:
        yield running


def bring(server: Server, folder: Path, archive: Archive | None = None) -> dict[str, object]:
    return download.download(archive or published(GOOD), server.url, folder)


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
    assert list(ARCHIVES) == [archive.subset for archive in ARCHIVES.values()]
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
        ([cut(0.0), cut(0.3), cut(0.0), cut(0.9)], 5),
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
    server.faults = [cut(0.5)] + [cut(0.0)] * fetch.ATTEMPTS
    with pytest.raises(TaaeError, match=r"bytes are in .*the same command goes on from there"):
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
    with pytest.raises(TaaeError, match=f"{SUBSET}.tar.gz: {code} .*check corpus.librispeech.url"):
        bring(server, tmp_path)
    assert len(server.asked) == 1
    bring(server, tmp_path)
    check_whole(tmp_path)


def changed(content: bytes) -> bytes:
    return content[:100] + b"\0" + content[101:]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(GOOD), "its MD5 is"),
        (GOOD[:-1000], "it ends before byte"),
        (b"<html>Log in first</html>", "it ends before byte 25"),
    ],
)
def test_a_wrong_file_is_refused_and_removed(tmp_path: Path, content: bytes, message: str) -> None:
    with (
        serving(content) as server,
        pytest.raises(TaaeError, match=rf"not the published .*{message}"),
    ):
        bring(server, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".download"]
    assert [path.name for path in (tmp_path / ".download").iterdir()] == [f"{SUBSET}.lock"]


def test_what_is_too_much_is_not_read(tmp_path: Path) -> None:
    with serving(GOOD + b"x" * 1000) as server:
        bring(server, tmp_path)
    check_whole(tmp_path)


def other_part(handler: Handler, content: bytes, start: int | None) -> None:
    """Send another part than was asked for."""
    where = f"bytes 7-{len(content) - 1}/{len(content)}"
    handler.reply(206, content[7:], Content_Range=where)


@pytest.mark.parametrize("faults", [[], [other_part]])
def test_a_part_of_another_file_costs_one_more_start(
    server: Server, tmp_path: Path, faults: list[Fault]
) -> None:
    scratch = tmp_path / ".download"
    scratch.mkdir()
    (scratch / f"{SUBSET}.tar.gz").write_bytes(changed(GOOD)[:1000])
    server.faults = faults
    bring(server, tmp_path)
    assert server.asked == [1000, 0]
    check_whole(tmp_path)


def test_a_part_that_is_too_long(server: Server, tmp_path: Path) -> None:
    scratch = tmp_path / ".download"
    scratch.mkdir()
    (scratch / f"{SUBSET}.tar.gz").write_bytes(GOOD + b"more")
    bring(server, tmp_path)
    check_whole(tmp_path)


def test_an_archive_that_was_not_unpacked_is_not_fetched_again(
    server: Server, tmp_path: Path
) -> None:
    """As after a kill in the midst of unpacking: the half that was written is not trusted."""
    half = tmp_path / ".download" / SUBSET / "LibriSpeech" / SUBSET
    half.mkdir(parents=True)
    (half / "junk.flac").write_bytes(b"half")
    (tmp_path / ".download" / f"{SUBSET}.tar.gz").write_bytes(GOOD)
    bring(server, tmp_path)
    assert server.asked == []
    check_whole(tmp_path)


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


HOSTILE: dict[str, tuple[bytes, str]] = {
    "parent": (tar(plain("LibriSpeech/../../escaped")), "is not one below"),
    "absolute": (tar(plain("/tmp/escaped")), "is not one below"),
    "other top": (tar(plain("escaped")), "is not one below"),
    "backslash": (tar(plain("LibriSpeech\\..\\escaped")), "is not one below"),
    "newline": (tar(plain("LibriSpeech/a\nb")), "is not one below"),
    "symbolic link": (
        tar(special("LibriSpeech/a", tarfile.SYMTYPE, "/tmp"), plain("LibriSpeech/a/escaped")),
        "no plain file",
    ),
    "hard link": (tar(special("LibriSpeech/a", tarfile.LNKTYPE, "/etc/passwd")), "no plain file"),
    "character device": (tar(special("LibriSpeech/a", tarfile.CHRTYPE)), "no plain file"),
    "block device": (tar(special("LibriSpeech/a", tarfile.BLKTYPE)), "no plain file"),
    "fifo": (tar(special("LibriSpeech/a", tarfile.FIFOTYPE)), "no plain file"),
    "twice": (tar(plain("LibriSpeech/a"), plain("LibriSpeech/a")), "holds twice"),
    "file, then folder": (tar(plain("LibriSpeech/a"), plain("LibriSpeech/a/b")), "holds twice"),
    "bomb": (tar(plain("LibriSpeech/a", bytes(200_000))), "too large"),
    "many files": (
        tar(*(plain(f"LibriSpeech/{number}", b"") for number in range(300))),
        "too large",
    ),
    "truncated": (GOOD[: len(GOOD) // 2], "damaged"),
    "no end": (GOOD[:-4], "damaged"),
    "changed": (GOOD[:2000] + b"\0\0\0" + GOOD[2003:], "damaged|refused"),
    "no gzip": (b"hello", "damaged"),
    "no tar": (gzip.compress(b"hello " * 1000), "damaged"),
    "empty": (b"", "damaged"),
}


def huge() -> bytes:
    """A header whose size has 8^12 - 1 bytes, and nothing behind it."""
    member = tarfile.TarInfo("LibriSpeech/a")
    member.size = 8**11 - 1
    return gzip.compress(member.tobuf())


HOSTILE["huge number"] = (huge(), "too large")


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_writes_nothing_outside(tmp_path: Path, what: str) -> None:
    content, message = HOSTILE[what]
    archive = tmp_path / "x.tar.gz"
    archive.write_bytes(content)
    largest = 100_000 if len(content) < 100_000 else 10**8
    with pytest.raises(TaaeError, match=rf"x.tar.gz: .*({message})"):
        unpack(archive, tmp_path / "inside", "LibriSpeech", largest)
    assert {path.name for path in tmp_path.iterdir()} <= {"x.tar.gz", "inside"}
    assert not Path("/tmp/escaped").exists()
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]


def test_a_hostile_archive_takes_no_place(tmp_path: Path) -> None:
    """Even under the right MD5."""
    content = tar(plain("LibriSpeech/dev-clean/1/2/1-2-0.flac"), plain("LibriSpeech/../escaped"))
    with serving(content) as server, pytest.raises(TaaeError, match="refused"):
        bring(server, tmp_path / "to", published(content))
    assert not (tmp_path / "to" / SUBSET).exists()
    assert not (tmp_path / "escaped").exists()


def test_the_modes_of_an_archive_are_not_applied(tmp_path: Path) -> None:
    member, content = plain("LibriSpeech/a")
    member.mode = 0o4777
    (tmp_path / "x.tar.gz").write_bytes(tar((member, content)))
    unpack(tmp_path / "x.tar.gz", tmp_path / "in", "LibriSpeech", 10_000)
    assert (tmp_path / "in/LibriSpeech/a").stat().st_mode & 0o7111 == 0


@pytest.fixture
def study(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    monkeypatch.setitem(archives.ARCHIVES, SUBSET, published(GOOD))

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
