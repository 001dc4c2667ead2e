"""A file of a web server as a stream that goes on where its connection broke."""

from __future__ import annotations

import io
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from taae.utils.errors import TaaeError

TIMEOUT = (10.0, 60.0)  # s to connect, and between bytes
# Of a request that brings nothing: with pauses of 0, 2, 4, ... s between them.
RETRIES = Retry(6, backoff_factor=1, status_forcelist=[429, 500, 502, 503, 504])


def http_session() -> requests.Session:
    """Return a session that asks a busy server again."""
    found = requests.Session()
    for scheme in ("http://", "https://"):
        found.mount(scheme, HTTPAdapter(max_retries=RETRIES))
    return found


class HttpStream(io.RawIOBase):
    """The bytes of `url` from the first to the last; nothing is kept.

    Reading raises a `TaaeError` where the server has no such file or another one than before, or
    where a new connection brings nothing more.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = http_session()
        self._position = self._progress = 0  # bytes so far, and when the connection was opened
        self._etag: str | None = None
        self._reply: requests.Response | None = None

    def readable(self) -> bool:
        """Return that this is a stream to read from."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as bytes come at once, and return their number; 0 at the end."""
        while True:
            try:
                reply = self._reply or self._connect()
                # As sent: some servers call the compression of a .tar.gz an encoding.
                data: bytes = reply.raw.read(len(buffer), decode_content=False)
            except (requests.RequestException, HTTPError) as error:
                self._disconnect()
                if self._position <= self._progress:
                    raise TaaeError(f"{self.url}: {error}; {self._position} bytes came") from error
                continue
            buffer[: len(data)] = data
            self._position += len(data)
            return len(data)

    def close(self) -> None:
        """End the connection."""
        self._disconnect()
        self._session.close()
        super().close()

    def _connect(self) -> requests.Response:
        """Ask for what has not been read."""
        start = self._progress = self._position
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        reply = self._session.get(self.url, headers=headers, stream=True, timeout=TIMEOUT)
        reply.raise_for_status()
        etag = reply.headers.get("ETag")
        if start and etag != self._etag:
            raise TaaeError(f"{self.url}: became another file while it was read; try again")
        self._etag = etag
        known = start if reply.status_code != requests.codes.partial_content else 0
        while known and (data := reply.raw.read(min(known, 2**20), decode_content=False)):
            known -= len(data)
        self._reply = reply
        return reply

    def _disconnect(self) -> None:
        if self._reply is not None:
            self._reply.close()
            self._reply = None
