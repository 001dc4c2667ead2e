"""LibriSpeech's subsets from the network: fetched, checked, unpacked, and only then in place."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

import requests
from filelock import FileLock
from urllib3.exceptions import HTTPError

from taae.corpus.config import ARCHIVES, Archive
from taae.corpus.http_stream import TIMEOUT, http_session
from taae.utils.errors import TaaeError
from taae.utils.files import PARTIAL, atomic, make_folder, write_json
from taae.utils.log import log, progress

TOP = "LibriSpeech"  # the folder that every archive holds
RECEIPT = ".download.json"  # in a subset's folder: it was unpacked whole, and from what
GROWTH = 1.25  # most that files of compressed audio grow by when unpacked
SPARE = 2**24  # bytes
BLOCK = 2**20  # bytes read at once


def download(subset: str, url: str, folder: Path) -> dict[str, Any]:
    """Bring a subset to `folder`/<subset>, unless it is there; return its receipt.

    The archive is in `folder`/.download until the subset has taken its place in one step. After an
    interruption the next call continues the download, or unpacks again from the start.

    Args:
        subset: which.
        url: what the archive's file name is appended to.
        folder: the unpacked folder LibriSpeech.

    Returns:
        subset, md5 of the archive, number of files.

    Raises:
        TaaeError: it cannot be had, it would not fit on the disk, or `folder`/<subset> is there
            but was not made by this function, so that it may be incomplete.
    """
    about, place, scratch = ARCHIVES[subset], folder / subset, folder / ".download"
    archive = scratch / f"{subset}.tar.gz"
    make_folder(scratch)
    if not place.exists():
        log(f"{place}: downloading, or waiting for another process that does")
    with FileLock(scratch / f"{subset}.lock"):
        if not place.exists():
            for left in folder.glob(f".{subset}.{PARTIAL}*"):  # of killed jobs, on any machine
                shutil.rmtree(left, ignore_errors=True)
            needed = about.size - _size(archive) + round(GROWTH * about.size) + SPARE
            free = shutil.disk_usage(scratch).free
            if free < needed:
                raise TaaeError(
                    f"{scratch}: {free / 1e9:.1f} GB are free; {subset} needs"
                    f" {needed / 1e9:.1f} GB for the archive and its files"
                )
            _fetch(f"{url.rstrip('/')}/{archive.name}", archive, about)
            log(f"{archive}: its MD5 is the published one; unpacking")
            _unpack(archive, place, about)
        archive.unlink(missing_ok=True)
    try:
        receipt: dict[str, Any] = json.loads((place / RECEIPT).read_bytes())
    except (OSError, ValueError):
        raise TaaeError(
            f"{place}: is there, but was not downloaded by this command, so it may be incomplete;"
            " move it away, or set corpus.librispeech.download to false to use it as it is"
        ) from None
    return receipt


def _fetch(url: str, file: Path, about: Archive) -> None:
    """Append to a file until it has the published size, and check its MD5.

    Raises:
        TaaeError: the server does not answer, and what came so far is kept; or it has another
            file, and nothing of it is kept.
    """
    with http_session() as session:
        while (have := _size(file)) < about.size:
            problem: object = "the connection ended"
            try:
                if not _append(session, url, file, about.size):
                    break
            except (requests.RequestException, HTTPError) as error:
                problem = error
            if _size(file) <= have:
                raise TaaeError(
                    f"{url}: {problem}; {have} of {about.size} bytes are in {file}: the same"
                    " command goes on from there, also from a mirror (corpus.librispeech.url)"
                )
    with file.open("rb") as content:
        found = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != about.md5:
        file.unlink()
        raise TaaeError(
            f"{url}: not the published file: its MD5 is {found}, published is {about.md5}; it was"
            " removed. Try again, or a mirror (corpus.librispeech.url)"
        )


def _append(session: requests.Session, url: str, file: Path, size: int) -> bool:
    """Append what one request brings; return False where the server's file ends here."""
    have = _size(file)
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={have}-"}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as reply:
        if reply.status_code == requests.codes.requested_range_not_satisfiable:
            return False
        reply.raise_for_status()
        resumed = reply.status_code == requests.codes.partial_content
        # As sent: some servers call the compression of a .tar.gz an encoding.
        blocks = reply.raw.stream(BLOCK, decode_content=False)
        with file.open("ab" if resumed else "wb") as output:
            for block in progress(blocks, (size - have) // BLOCK + 1, f"{file.name} (MiB)"):
                output.write(block)
    return True


def _unpack(archive: Path, place: Path, about: Archive) -> None:
    """Unpack the plain files of an archive beside `place`, and move the subset there.

    Owners, modes and times are left behind.

    Raises:
        TaaeError: it holds anything else, such as a link or a path that leads elsewhere.
    """
    files = 0
    with atomic(place) as content:
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if member.isdir():
                    continue
                if not member.isfile() or path.is_absolute() or ".." in path.parts:
                    raise TaaeError(f"{archive}: refused: '{member.name}' is no plain file inside")
                (content.parent / path).parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                assert source is not None, "plain files have content"
                with (content.parent / path).open("xb") as output:
                    shutil.copyfileobj(source, output)
                files += 1
        (content.parent / TOP / place.name).rename(content)
        write_json({"subset": place.name, "md5": about.md5, "files": files}, content / RECEIPT)
        for text in (content.parent / TOP).glob("*.TXT"):  # licence, speakers: in every archive
            text.replace(place.parent / text.name)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
