"""Fetching a published file over HTTP: resumed where it broke off, known by size and MD5."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from pathlib import Path

import requests
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError

from taae.corpus.archives import Archive
from taae.utils.errors import TaaeError
from taae.utils.log import log, progress

BLOCK = 2**20  # bytes read at once
TIMEOUT = (10.0, 60.0)  # s to connect, and between bytes
ATTEMPTS = 7  # in a row that bring nothing new
PAUSE = 1.0  # s after the first of them, then doubled
TEMPORARY = {408, 425, 429}  # of the 4xx; the others stay as they are


class WrongFile(Exception):
    """What was fetched is not the published file."""


def fetch(archive: Archive, base: str, folder: Path) -> Path:
    """Bring `base`/`archive.file` into `folder` and return its path.

    What is there of it is kept as `.part` and gone on with, also by a later call. Size and MD5 are
    the published ones, so what the server says of lengths does not matter, and a file that has
    changed on the server betrays itself: there is no need of If-Range.

    Raises:
        TaaeError: the server does not have it, does not answer, or has another file. In the last
            case nothing of it is kept.
    """
    url = f"{base.rstrip('/')}/{archive.file}"
    target = folder / archive.file
    part = target.with_name(f"{target.name}.part")
    if target.exists():  # of an earlier run: it is checked again
        target.replace(part)
    for _ in range(1 + part.exists()):  # what an earlier run left may be of another file
        try:
            _complete(archive, url, part)
            _verify(archive, part)
        except WrongFile as found:
            problem = found
            part.unlink(missing_ok=True)
            log(f"{url}: {found}; removed")
        else:
            part.replace(target)
            return target
    raise TaaeError(
        f"{url}: not the published {archive.file}: {problem}; it was removed. Try a mirror"
        " (corpus.librispeech.url)"
    )


def _complete(archive: Archive, url: str, part: Path) -> None:
    """Append to `part` until it has the published size."""
    failures, reached = 0, _size(part)
    while _size(part) < archive.size:
        problem = "the connection ended"
        try:
            _append(archive, url, part)
        except (requests.RequestException, HTTPError) as error:
            problem = str(error)
        have = _size(part)
        failures = 0 if have > reached else failures + 1
        reached = max(reached, have)
        if have >= archive.size:
            return
        state = f"{url}: {problem}; {have} of {archive.size} bytes"
        if failures == ATTEMPTS:
            raise TaaeError(f"{state} are in {part}; the same command goes on from there")
        pause = PAUSE * 2**failures
        log(f"{state}; going on in {pause:g} s")
        time.sleep(pause)


def _append(archive: Archive, url: str, part: Path) -> None:
    """Append what one request brings; start over where the server sends the file as a whole."""
    have = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as reply:
        status = reply.status_code
        if status == requests.codes.requested_range_not_satisfiable:
            raise WrongFile(f"it ends before byte {have}; published are {archive.size} bytes")
        if 400 <= status < 500 and status not in TEMPORARY:
            raise TaaeError(f"{url}: {status} {reply.reason}; check corpus.librispeech.url")
        reply.raise_for_status()
        whole = status != requests.codes.partial_content
        if not whole and not reply.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise WrongFile(f"asked from byte {have} on, the server sent another part")
        wanted = archive.size - (0 if whole else have)
        blocks = progress(
            _blocks(reply.raw, wanted), math.ceil(wanted / BLOCK), f"{archive.file} (MiB)"
        )
        with part.open("wb" if whole else "ab") as file:
            for block in blocks:
                file.write(block)


def _blocks(raw: HTTPResponse, wanted: int) -> Iterator[bytes]:
    """Yield up to `wanted` bytes as they were sent: some servers call a .tar.gz an encoding."""
    while wanted and (block := raw.read(min(BLOCK, wanted), decode_content=False)):
        wanted -= len(block)
        yield block


def _verify(archive: Archive, part: Path) -> None:
    with part.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != archive.md5:
        raise WrongFile(f"its MD5 is {found}, published is {archive.md5}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
