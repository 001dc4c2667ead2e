"""Unpacking a .tar.gz without trust in it: names and contents of plain files, and nothing else."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from taae.utils.errors import TaaeError

HEADER = 512  # bytes of a tar header: a bound of bytes is then one of files too
DRAIN = 2**20


def unpack(archive: Path, folder: Path, top: str, largest: int) -> int:
    """Write the files of `archive` below `folder`; return their number.

    Owners, modes and times are left behind, and links are refused, so that no member can lead
    another out of `folder`. (The filters of `tarfile` do much of this, but Python 3.11 as Debian
    ships it has none.)

    Args:
        archive: a .tar.gz, read to its end, so that a truncated one does not pass.
        folder: where to; it is empty.
        top: name of the one folder that everything in the archive is below.
        largest: bytes that the files may have together, headers included.

    Raises:
        TaaeError: it is damaged, or holds what is no plain file, a path that leads elsewhere, a
            name twice, or more than `largest` bytes. `folder` then holds a part of it.
    """
    count = 0
    try:
        with gzip.open(archive) as file, tarfile.open(fileobj=file, mode="r|") as tar:
            for member in tar:
                path = folder / _inside(member.name, top)
                if member.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                    raise TaaeError(f"'{member.name}' is no plain file")
                largest -= HEADER + member.size
                if member.size < 0 or largest < 0:
                    raise TaaeError(f"unpacked it is too large, at '{member.name}'")
                path.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                assert source is not None, "plain files have content"
                with source, path.open("xb") as output:
                    shutil.copyfileobj(source, output)
                count += 1
            while file.read(DRAIN):  # gzip's checksum stands at its end
                pass
    except TaaeError as error:
        raise TaaeError(f"{archive}: refused: {error}") from None
    except FileExistsError as error:
        raise TaaeError(f"{archive}: refused: holds twice what is now {error.filename}") from None
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TaaeError(f"{archive}: damaged ({error})") from error
    return count


def _inside(name: str, top: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or path.parts[:1] != (top,)
        or "\\" in name
        or not name.isprintable()
    ):
        raise TaaeError(f"the path {name!r} is not one below {top}/")
    return path
