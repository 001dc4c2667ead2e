"""Atomic writing: a file either has its whole new content or its old one."""

from __future__ import annotations

import errno
import glob
import hashlib
import io
import json
import os
import platform
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taae.utils.errors import TaaeError

if TYPE_CHECKING:  # the Snakefile imports this module, and each job parses the Snakefile
    import pandas as pd
    from numpy.typing import NDArray

_MISSING = ["", "NA", "N/A", "NaN", "nan", "None", "null"]  # among numbers
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
PARTIAL = "partial-"  # in the names of folders of what is being written


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the place of `path`.

    The temporary keeps the suffix of `path`, since writers choose the format by it. It may become
    a file or a folder; a folder replaces an older one. On an exception nothing is left behind
    and `path` is as it was. What a killed process left is removed by the next call for `path`.

    Raises:
        TaaeError: the disk is full, read-only or failing; names `path`.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, glob.escape(path.name))
        prefix = f".{path.name}.{PARTIAL}{_host()}-{os.getpid()}-"
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=path.parent))
    except OSError as error:
        raise TaaeError(f"{path}: cannot write here ({error.strerror})") from error
    try:
        yield folder / path.name
        _put_in_place(folder / path.name, path)
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise TaaeError(f"{path}: cannot write here ({error.strerror})") from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(temporary: Path, path: Path) -> None:
    """Replace `path` by `temporary`, on the disk too: a power cut leaves either whole."""
    for part in [*temporary.rglob("*"), temporary]:
        _sync(part)
    if temporary.is_dir() and path.is_dir():  # os.replace replaces no folder that has content
        replaced = temporary.with_name("replaced")
        path.rename(replaced)
        try:
            temporary.replace(path)
        except OSError:
            replaced.rename(path)
            raise
    else:
        temporary.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in DISK_ERRORS:  # others: a file system that cannot flush folders
            raise
    finally:
        os.close(descriptor)


def sweep(folder: Path, pattern: str) -> None:
    """Remove what killed processes of this machine left of their `atomic` writing of `pattern`."""
    for scratch in folder.glob(f".{pattern}.{PARTIAL}{glob.escape(_host())}-*-*/"):
        if not _is_alive(int(scratch.name.split("-")[-2])):
            shutil.rmtree(scratch, ignore_errors=True)


def _host() -> str:
    return platform.node().replace("/", "_")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return error.errno != errno.ESRCH  # it is there, but of another user
    return True


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file of any size, as 64 hexadecimal digits."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TaaeError(f"{path}: cannot be read ({error.strerror})") from error


def make_folder(folder: Path) -> None:
    """Make a folder where there is none yet, with its parents."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TaaeError(f"{folder}: cannot write here ({error.strerror})") from error


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table atomically, without its index, in UTF-8; missing values are empty cells."""
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def write_npz(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write arrays, under any name, as `numpy.savez_compressed` does for names that it can take."""
    from numpy.lib.format import write_array

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            # An entry made so is dated 1980: the same content, the same bytes.
            with archive.open(f"{name}.npy", "w") as file:
                write_array(file, array, allow_pickle=False)


def write_text(text: str, path: Path) -> None:
    """Write a text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(value: Any, path: Path) -> None:
    """Write JSON atomically, indented, keys in their given order."""
    write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)


def read_csv(
    path: Path, columns: Sequence[str], text: Sequence[str] = (), separator: str = ","
) -> pd.DataFrame:
    """Read a CSV that must have `columns`; every failure is a `TaaeError` naming the file.

    Columns in `text` are taken as they are: speaker 007 stays 007, and NA is no missing value.
    """
    import pandas as pd

    try:
        content = path.read_bytes()
        header = pd.read_csv(io.BytesIO(content), sep=separator, nrows=0)
        absent = {name: [""] if name in text else _MISSING for name in map(str, header)}
        types = dict.fromkeys(text, str)
        table = pd.read_csv(
            io.BytesIO(content), sep=separator, dtype=types, keep_default_na=False, na_values=absent
        )
    except FileNotFoundError:
        raise TaaeError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TaaeError(f"{path}: not a readable CSV ({error})") from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise TaaeError(
            f"{path}: no column {', '.join(missing)}; it has {', '.join(map(str, table))}"
        )
    return table
