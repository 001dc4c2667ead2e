"""Fetching a published file over HTTP: resumed where it broke off, known by size and MD5."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import requests
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

    A call that breaks off leaves the first part of the file, and the next call goes on from there.
    Size and MD5 are the published ones: it does not matter what lengths the server states, and a
    file that has changed on the server is found out.

    Raises:
        TaaeError: the server does not have it, does not answer, or has another file. In the last
            case nothing of it is kept.
    """
    url = f"{base.rstrip('/')}/{archive.file}"
    path = folder / archive.file
    for _ in range(1 + path.exists()):  # what an earlier run left may be of another file
        try:
            _complete(archive, url, path)
            _verify(archive, path)
        except WrongFile as found:
            problem = found
            path.unlink(missing_ok=True)
            log(f"{url}: {found}; removed")
        else:
            return path
    raise TaaeError(
        f"{url}: not the published {archive.file}: {problem}; it was removed. Try a mirror"
        " (corpus.librispeech.url)"
    )


def _complete(archive: Archive, url: str, path: Path) -> None:
    """Append to the file until it has the published size."""
    failures, reached = 0, size_of(path)
    while size_of(path) < archive.size:
        problem = "the connection ended"
        try:
            _append(archive, url, path)
        except (requests.RequestException, HTTPError) as error:
            problem = str(error)
        have = size_of(path)
        failures = 0 if have > reached else failures + 1
        reached = max(reached, have)
        if have >= archive.size:
            return
        state = f"{url}: {problem}; {have} of {archive.size} bytes"
        if failures == ATTEMPTS:
            raise TaaeError(f"{state} are in {path}; the same command goes on from there")
        pause = PAUSE * 2**failures
        log(f"{state}; going on in {pause:g} s")
        time.sleep(pause)


def _append(archive: Archive, url: str, path: Path) -> None:
    """Append what one request brings; start over where the server sends the file as a whole."""
    have = size_of(path)
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={have}-"}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as reply:
        status = reply.status_code
        if status == requests.codes.requested_range_not_satisfiable:
            raise WrongFile(f"it ends before byte {have}; published are {archive.size} bytes")
        if 400 <= status < 500 and status not in TEMPORARY:
            raise TaaeError(f"{url}: {status} {reply.reason}; check corpus.librispeech.url")
        reply.raise_for_status()
        if status != requests.codes.partial_content:
            have = 0
        elif not reply.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise WrongFile(f"asked from byte {have} on, the server sent another part")
        with path.open("r+b" if have else "wb") as file:
            file.seek(have)
            starts = range(have, archive.size, BLOCK)
            for start in progress(starts, len(starts), f"{archive.file} (MiB)"):
                # As sent: some servers call the compression of a .tar.gz an encoding.
                wanted = min(BLOCK, archive.size - start)
                block = reply.raw.read(wanted, decode_content=False)
                file.write(block)
                if len(block) < wanted:
                    return


def _verify(archive: Archive, path: Path) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != archive.md5:
        raise WrongFile(f"its MD5 is {found}, published is {archive.md5}")


def size_of(path: Path) -> int:
    """Return the bytes of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0
