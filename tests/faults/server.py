"""An HTTP server of one file that misbehaves as told, and notes what it was asked."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves `content` under any path; request n is answered by `faults[n]`, later ones well."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.faults: list[Fault] = []
        self.asked: list[int | None] = []  # first byte of each request's Range

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else None
        self.server.asked.append(start)
        number = len(self.server.asked) - 1
        faults = self.server.faults
        (faults[number] if number < len(faults) else serve)(self, self.server.content, start)

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def reply(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        """Answer with a body, and a Content-Length that may be a lie."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True


Fault = Callable[[Handler, bytes, int | None], None]


def serve(handler: Handler, content: bytes, start: int | None, length: int | None = None) -> None:
    """Answer as a good server, ranges included."""
    if start is None:
        handler.reply(200, content, length)
    elif start >= len(content):
        handler.reply(416, b"", Content_Range=f"bytes */{len(content)}")
    else:
        where = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.reply(206, content[start:], length, Content_Range=where)


def cut(share: float) -> Fault:
    """Send a share of what was asked for, then close the connection."""

    def fault(handler: Handler, content: bytes, start: int | None) -> None:
        there = content[: (start or 0) + round(share * (len(content) - (start or 0)))]
        rest = len(content) - (start or 0)
        if start is None:
            handler.reply(200, there, rest)
        else:
            where = f"bytes {start}-{len(content) - 1}/{len(content)}"
            handler.reply(206, there[start:], rest, Content_Range=where)

    return fault


def whole(handler: Handler, content: bytes, start: int | None) -> None:
    """Ignore the range."""
    handler.reply(200, content)


def status(code: int) -> Fault:
    return lambda handler, content, start: handler.reply(code, b"sorry")


@contextmanager
def serving(content: bytes) -> Iterator[Server]:
    with Server(content) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
