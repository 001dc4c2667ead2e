"""Tars of the WebDataset format, on this machine or on a web server; with tarfile and requests.

The package webdataset would save little: it gives URLs to curl, which begins a broken download
anew, runs what follows `pipe:` in a shell, and takes a damaged tar for one that ends there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from taae.corpus import samples
from taae.corpus.http_stream import HttpStream
from taae.corpus.recordings import SUFFIXES
from taae.corpus.samples import Sample
from taae.corpus.speakers import speaker_of, speaker_rule
from taae.corpus.tars import Files, read_samples
from taae.corpus.utterance import printable
from taae.utils.errors import TaaeError

KEY = "__key__"  # in place of a JSON key: the sample's own name
MOST_BYTES_PER_SECOND = 2_000_000  # more than two channels of float32 at 192 kHz have
USUAL = 10**9  # bytes of a tar on a server, which is not asked
BLOCK = 2**20  # bytes read at once
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


class Tars:
    """The parts of a corpus of this kind: an address is a path or a URL.

    Args:
        settings: the section `corpus.webdataset`.
        longest: seconds of audio that is used; of longer audio not all need be read.

    Raises:
        TaaeError: what is wrong with the settings.
    """

    def __init__(self, settings: dict[str, Any], longest: float) -> None:
        self._settings, self._largest = settings, round(longest * MOST_BYTES_PER_SECOND)
        if any(map(_is_url, settings["draw_from"])):
            raise TaaeError(
                "config: corpus.webdataset.draw_from: before speakers are drawn all tars are read,"
                " so they must be on this machine; list URLs under train, validation and test"
            )
        rule, checksums = settings["speaker_rule"], settings["checksums"]
        self._rule = speaker_rule(rule, "corpus.webdataset.speaker_rule") if rule else None
        self._checksums = read_checksums(Path(checksums)) if checksums else {}

    def parts(self, listed: Sequence[str]) -> list[str]:
        """Return paths and URLs, with ranges and wildcards expanded.

        Raises:
            TaaeError: a path or a wildcard finds nothing.
        """
        found = []
        for address in (each for pattern in listed for each in expand(pattern)):
            there = [address] if _is_url(address) else _find(address)
            if not there:
                raise TaaeError(f"config: corpus.webdataset: {address}: no such file")
            found += there
        return found

    def name(self, part: str) -> str:
        """Return the name of the file up to its first dot."""
        return PurePosixPath(_path(part)).name.partition(".")[0]

    def size(self, part: str) -> int:
        """Return the bytes of a file; of a URL what tars usually have."""
        return USUAL if _is_url(part) else Path(part).stat().st_size

    def samples(self, part: str) -> Iterator[Sample]:
        """Yield the samples of a tar; after the last one its checksum is compared."""
        empty = True
        with closing(_open(part)) as file:
            hashed = _Hashed(file)
            for files in read_samples(hashed, part, self._largest):
                empty = False
                audio = files.content[files.audio]
                yield Sample(files.key, self._speaker(part, files), self._text(part, files), audio)
            if empty:
                raise TaaeError(f"{part}: no audio ({', '.join(SUFFIXES)}) in this tar")
            expected = self._expected(part)
            if expected and hashed.finish() != expected:
                raise TaaeError(f"{part}: its SHA-256 is not that of corpus.webdataset.checksums")

    def speakers(self, part: str) -> Iterator[tuple[str, str]]:
        """Yield key and speaker of each sample; of a file here, without reading its audio."""
        seek = not _is_url(part) and part.endswith(".tar")
        with closing(_open(part)) as file:
            for files in read_samples(file, part, 0, seek=seek):
                yield files.key, self._speaker(part, files)

    def _speaker(self, part: str, files: Files) -> str:
        key = self._settings["speaker"]
        value = files.key if key == KEY else _label(part, files, "speaker", key)
        place = f"{part}: sample {printable(files.key)}"
        return speaker_of(value, self._rule, place, "corpus.webdataset")

    def _text(self, part: str, files: Files) -> str:
        key = self._settings["text"]
        if key:
            return str(_label(part, files, "text", key) or "")
        return files.content.get("txt", b"").decode("utf-8", errors="replace").strip()

    def _expected(self, part: str) -> str | None:
        """Return the checksum of a tar, by as much of its path as the list has."""
        names = _path(part).split("/")
        paths = ("/".join(names[start:]) for start in range(len(names)))
        return next((self._checksums[path] for path in paths if path in self._checksums), None)


class _Hashed:
    """A stream, and the SHA-256 of what was read from it."""

    def __init__(self, file: BinaryIO | HttpStream) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size) or b""
        self._hash.update(data)
        return data

    def finish(self) -> str:
        """Read the rest and return the hash of everything."""
        while self.read(BLOCK):
            pass
        return self._hash.hexdigest()


WEBDATASET = samples.kind(Tars)


def _label(part: str, files: Files, setting: str, key: str) -> Any:
    """Return the value of a key in the JSON of a sample; `setting` asks for it."""
    place = f"{part}: sample {printable(files.key)}"
    if "json" not in files.content:
        raise TaaeError(
            f"{place}: no .json beside its audio, in which corpus.webdataset.{setting} is sought;"
            f" its own name is {KEY}"
        )
    try:
        found = json.loads(files.content["json"])
    except (ValueError, RecursionError) as error:
        raise TaaeError(f"{place}: its .json is no JSON ({error})") from error
    if not isinstance(found, dict) or key not in found:
        there = ", ".join(found) if isinstance(found, dict) else "no keys"
        raise TaaeError(
            f"{place}: its .json has no key '{key}' (corpus.webdataset.{setting}); it has {there}"
        )
    return found[key]


def read_checksums(file: Path) -> dict[str, str]:
    """Return the hashes by path of a file as sha256sum writes it.

    Raises:
        TaaeError: it is another file, or there is none.
    """
    found = {}
    try:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            match = re.fullmatch(r"([0-9a-fA-F]{64}) [ *](.+)", line)
            if not match:
                raise TaaeError(f"{file}, line {number}: not as sha256sum writes it: HASH  PATH")
            found[match[2].removeprefix("./")] = match[1].lower()
    except (OSError, UnicodeDecodeError) as error:
        raise TaaeError(f"config: corpus.webdataset.checksums: {file}: {error}") from error
    return found


def expand(pattern: str) -> list[str]:
    """Return what {000..127} stands for: every number, with as many digits as the first has."""
    found = RANGE.search(pattern)
    if not found:
        return [pattern]
    before, after, digits = pattern[: found.start()], pattern[found.end() :], len(found[1])
    numbers = range(int(found[1]), int(found[2]) + 1)
    return [each for number in numbers for each in expand(f"{before}{number:0{digits}}{after}")]


def _find(pattern: str) -> list[str]:
    path = Path(pattern)
    top = Path(path.anchor)  # since patterns are relative
    return sorted(map(str, top.glob(str(path.relative_to(top)))))


def _open(part: str) -> BinaryIO | HttpStream:
    try:
        return HttpStream(part) if _is_url(part) else Path(part).open("rb")
    except OSError as error:
        raise TaaeError(f"{part}: {error.strerror}") from error


def _path(part: str) -> str:
    """Return an address without what a URL may have beside its path, such as a signature."""
    return urlsplit(part).path if _is_url(part) else part


def _is_url(address: str) -> bool:
    return address.startswith(("http://", "https://"))
