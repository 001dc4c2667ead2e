"""LibriSpeech's subsets from the network: fetched, checked, unpacked, and only then in place."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from taae.corpus.archives import Archive
from taae.corpus.fetch import fetch, size_of
from taae.corpus.unpack import unpack
from taae.utils.errors import TaaeError
from taae.utils.files import make_folder, write_json
from taae.utils.locks import locked
from taae.utils.log import log

TOP = "LibriSpeech"  # the folder that every archive holds
RECEIPT = ".download.json"  # in a subset's folder: it was unpacked whole, and from what
GROWTH = 1.25  # most that files of compressed audio grow by when unpacked
SPARE = 2**24  # bytes


def download(archive: Archive, base: str, folder: Path) -> dict[str, Any]:
    """Bring a subset to `folder`/<subset>, unless it is there; return its receipt.

    The archive and its unpacked files are in `folder`/.download until they are whole; then the
    subset takes its place in one step and the archive is removed. After an interruption the next
    call continues the download, or unpacks again from the start.

    Args:
        archive: which.
        base: URL that the archive's file name is appended to.
        folder: the unpacked folder LibriSpeech.

    Returns:
        subset, md5 of the archive, number of files.

    Raises:
        TaaeError: it cannot be had, it would not fit on the disk, or `folder`/<subset> is there
            but was not made by this function, so that it may be incomplete.
    """
    place, scratch = folder / archive.subset, folder / ".download"
    make_folder(scratch)
    with locked(scratch / f"{archive.subset}.lock"):
        if not place.exists():
            _check_room(archive, scratch)
            _unpack(archive, fetch(archive, base, scratch), scratch, folder)
        (scratch / archive.file).unlink(missing_ok=True)
        return _receipt(place)


def _unpack(archive: Archive, file: Path, scratch: Path, folder: Path) -> None:
    """Unpack beside the place and move the subset there."""
    unpacked = scratch / archive.subset
    shutil.rmtree(unpacked, ignore_errors=True)  # of a run that broke off
    log(f"{archive.file}: its MD5 is the published one; unpacking")
    count = unpack(file, unpacked, TOP, round(GROWTH * archive.size) + SPARE)
    content = unpacked / TOP
    subset = content / archive.subset
    if not subset.is_dir():
        raise TaaeError(f"{file}: holds no {TOP}/{archive.subset}")
    receipt = {"subset": archive.subset, "md5": archive.md5, "files": count}
    write_json(receipt, subset / RECEIPT)
    for about in content.glob("*.TXT"):  # licence, speakers, chapters: the same in every archive
        about.replace(folder / about.name)
    os.sync()  # else a power cut could leave the folder in place with empty files
    subset.rename(folder / archive.subset)
    shutil.rmtree(unpacked)


def _receipt(place: Path) -> dict[str, Any]:
    try:
        receipt: dict[str, Any] = json.loads((place / RECEIPT).read_bytes())
    except (OSError, ValueError):
        raise TaaeError(
            f"{place}: is there, but was not downloaded by this stage, so it may be incomplete;"
            " move it away, or set corpus.librispeech.download to false to use it as it is"
        ) from None
    return receipt


def _check_room(archive: Archive, scratch: Path) -> None:
    needed = archive.size - size_of(scratch / archive.file) + round(GROWTH * archive.size) + SPARE
    free = shutil.disk_usage(scratch).free
    if free < needed:
        raise TaaeError(
            f"{scratch}: {free / 1e9:.1f} GB are free; {archive.subset} needs"
            f" {needed / 1e9:.1f} GB for the archive and its files"
        )
