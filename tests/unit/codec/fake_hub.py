"""The Hugging Face hub as far as models and datasets need it, on this machine: files."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

COMMIT = "c0ffee" + 34 * "0"


class Hub(ThreadingHTTPServer):
    """`files[user/name][path]` are the bytes of a file; `asked` are the requests so far."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.asked: list[tuple[str, str]] = []
        self.tokens: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.answer_file()

    def do_GET(self) -> None:
        match self.parts():
            case "api", _, user, name, *rest if f"{user}/{name}" in self.server.files:
                files = self.server.files[f"{user}/{name}"]
                if rest[:1] == ["tree"]:
                    recursive = "recursive=true" in self.path.lower()
                    self.answer(tree(files, "/".join(rest[2:]), recursive))
                else:
                    siblings = [{"rfilename": path} for path in files]
                    self.answer({"id": f"{user}/{name}", "sha": COMMIT, "siblings": siblings})
            case "api", *_:
                self.absent("RepoNotFound")
            case _:
                self.answer_file()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match self.parts():
            case "api", "repos", "create":
                self.server.tokens.add(self.headers["Authorization"])
                asked = json.loads(body)
                repository = f"{asked['organization']}/{asked['name']}"
                self.server.files.setdefault(repository, {})
                self.answer({"url": f"{self.server.address}/{repository}"})
            case "api", "validate-yaml":
                self.answer({"errors": [], "warnings": []})
            case "api", "models", _, _, "preupload", _:
                paths = [file["path"] for file in json.loads(body)["files"]]
                self.answer(
                    {
                        "files": [
                            {"path": path, "uploadMode": "regular", "shouldIgnore": False}
                            for path in paths
                        ]
                    }
                )
            case "api", "models", user, name, "commit", _:
                for line in body.splitlines():
                    entry = json.loads(line)
                    if entry["key"] == "file":
                        content = base64.b64decode(entry["value"]["content"])
                        self.server.files[f"{user}/{name}"][entry["value"]["path"]] = content
                address = f"{self.server.address}/{user}/{name}/commit/{COMMIT}"
                self.answer({"commitUrl": address, "commitOid": COMMIT})
            case _:
                self.absent("EntryNotFound")

    def parts(self) -> list[str]:
        path = urlsplit(self.path).path
        self.server.asked.append((self.command, path))
        return path.strip("/").split("/")

    def answer(self, content: Any) -> None:
        self.reply(json.dumps(content).encode(), {"Content-Type": "application/json"})

    def answer_file(self) -> None:
        parts = self.parts()
        user, name, _, commit, *path = parts[parts[0] == "datasets" :]
        content = self.server.files.get(f"{user}/{name}", {}).get("/".join(path))
        if content is None:
            self.absent("EntryNotFound")
            return
        headers = {"ETag": f'"{oid(content)}"', "X-Repo-Commit": commit}
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            self.reply(content[first : last + 1], headers, 206)
        else:
            self.reply(content, headers)

    def reply(self, content: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def absent(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def tree(files: dict[str, bytes], folder: str, recursive: bool) -> list[dict[str, Any]]:
    """Return what is in a folder, and in the folders there where asked for."""
    top = f"{folder}/" if folder else ""
    found: dict[str, dict[str, Any]] = {}
    for path, content in files.items():
        inside, _, deeper = path.removeprefix(top).partition("/")
        if not path.startswith(top):
            continue
        if deeper and not recursive:
            found[top + inside] = {"type": "directory", "path": top + inside, "oid": 40 * "0"}
        else:
            found[path] = {"type": "file", "path": path, "size": len(content), "oid": oid(content)}
    return list(found.values())


def oid(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


@contextmanager
def hub() -> Iterator[Hub]:
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
