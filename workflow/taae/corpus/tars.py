"""Tars of the WebDataset format: files in a row with one name before the first dot are a sample.

Nothing is written to the disk: names in a tar are labels, and what is no plain file is passed over.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from taae.corpus.recordings import SUFFIXES
from taae.corpus.utterance import printable
from taae.utils.errors import TaaeError

NAME = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)")
BLOCK = 2**16  # bytes read at once
LARGEST_LABEL = 2**20  # bytes of a .json or .txt


class _Member(tarfile.TarInfo):
    """A member whose header must be whole: by itself tarfile takes a damaged one for the end."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> _Member:
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the end mark
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        member = super().frombuf(buf, encoding, errors)
        if member.size > LARGEST_LABEL and not member.isreg():  # tarfile would read it whole
            raise tarfile.HeaderError(f"a header of {member.size} bytes")
        return member


@dataclass
class Files:
    """The files of a sample: what its audio is called, and the content by suffix."""

    key: str
    audio: str = ""
    content: dict[str, bytes] = field(default_factory=dict)


def read_samples(file: Any, name: str, largest: int, *, seek: bool = False) -> Iterator[Files]:
    """Yield the samples of a tar that have audio, in its order.

    Args:
        file: a binary stream.
        name: of the tar, for errors.
        largest: bytes of a sample's audio that are read; the rest of a longer file is passed over.
        seek: whether it is a file without compression, so that what is not read costs nothing.

    Raises:
        TaaeError: it is no tar, damaged, or ends early; or a sample has two audio files.
    """
    try:
        with tarfile.open(
            fileobj=file, mode="r:" if seek else "r|*", bufsize=BLOCK, tarinfo=_Member
        ) as tar:
            sample = Files("")
            while member := tar.next():
                tar.members.clear()  # type: ignore[attr-defined]  # it would grow with the tar
                found = NAME.fullmatch(member.name)
                if not found or not member.isfile():
                    continue
                key, suffix = found[1], found[2].lower()
                if key != sample.key:
                    if sample.audio:
                        yield sample
                    sample = Files(key)
                size = LARGEST_LABEL
                if f".{suffix}" in SUFFIXES:
                    if sample.audio:
                        raise TaaeError(
                            f"{name}: sample {printable(key)} has two audio files,"
                            f" .{sample.audio} and .{suffix}"
                        )
                    sample.audio, size = suffix, largest
                elif suffix not in ("json", "txt"):
                    continue
                content = tar.extractfile(member)
                assert content is not None, "plain files have content"
                sample.content[suffix] = content.read(min(size, member.size))
            if sample.audio:
                yield sample
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise TaaeError(f"{name}: no tar, or damaged, or it ends early ({error})") from error
