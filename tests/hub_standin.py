"""A stand-in of the Hugging Face Hub on the loopback: files on disk, served as the hub serves data sets.

It knows what `datasets` asks when it streams: the API's facts of a repository, its tree, its paths, and the files
themselves by ranges.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

API = re.compile(
    r"/api/datasets/(?P<repo>[^/]+/[^/]+)(?:/(?P<what>revision|tree|paths-info)/(?P<at>[^/]+)(?P<path>/.*)?)?"
)
FILE = re.compile(r"/datasets/(?P<repo>[^/]+/[^/]+)/resolve/(?P<at>[^/]+)/(?P<path>.+)")


@dataclass
class Hub:
    """What is served: a folder for each repository and revision, and what was asked of it."""

    repos: dict[str, dict[str, Path]]
    """Repository to revision to folder."""
    gated: set[str] = field(default_factory=set)
    endpoint: str = ""
    asked: list[str] = field(default_factory=list)
    """Method and path of every request."""
    broken: set[str] = field(default_factory=set)
    """File names whose content is cut short, as by a connection that drops."""

    def folder(self, repo: str, revision: str) -> Path | None:
        """Return the folder of a revision, by its name or its commit."""
        for name, folder in self.repos.get(repo, {}).items():
            if unquote(revision) in (name, commit(folder)):
                return folder
        return None


def commit(folder: Path) -> str:
    """Return a made-up commit: a hash of the names and contents of the files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha1(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serve until the block ends; `hub.endpoint` is what HF_ENDPOINT should be."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        hub.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class named it
        """Keep quiet."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        path = urlsplit(self.path).path
        self.hub.asked.append(f"{self.command} {path}")
        if match := FILE.fullmatch(path):
            self._file(**match.groupdict())
        elif match := API.fullmatch(path):
            self._api(body=body, **match.groupdict())
        else:
            self._send(404, b"")

    def _api(self, *, repo: str, what: str | None, at: str | None, path: str | None, body: bytes) -> None:
        folder = self.hub.folder(repo, at or "main")
        if folder is None:
            code = "RevisionNotFound" if repo in self.hub.repos else "RepoNotFound"
            self._send(404, b"{}", {"X-Error-Code": code, "X-Error-Message": "not found"})
        elif what == "paths-info":
            wanted = _paths(body, self.headers.get("Content-Type", ""))
            self._json([_entry(folder, folder / name) for name in wanted if (folder / name).exists()])
        elif what == "tree":
            self._json(self._tree(folder, unquote((path or "").strip("/"))))
        else:
            files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
            siblings = [{"rfilename": name} for name in files]
            self._json({"id": repo, "sha": commit(folder), "private": False, "gated": False, "disabled": False,
                        "downloads": 0, "likes": 0, "tags": [], "siblings": siblings})  # fmt: skip

    def _tree(self, folder: Path, under: str) -> list[dict[str, Any]]:
        deep = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() == "true"
        top = folder / under
        return [_entry(folder, path) for path in sorted(top.rglob("*") if deep else top.glob("*"))]

    def _file(self, *, repo: str, at: str, path: str) -> None:
        folder = self.hub.folder(repo, at)
        if folder is None or not (file := folder / unquote(path)).is_file():
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        if repo in self.hub.gated:
            self._send(403, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to it is restricted."})
            return
        content = file.read_bytes()
        headers = {"X-Repo-Commit": commit(folder), "ETag": f'"{hashlib.sha1(content).hexdigest()}"',
                   "Accept-Ranges": "bytes"}  # fmt: skip
        if file.name in self.hub.broken:
            content = content[: len(content) // 2] + b"x" * (len(content) - len(content) // 2)
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            first, last = int(match[1]), min(int(match[2] or len(content) - 1), len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            self._send(206, content[first : last + 1], headers)
        else:
            self._send(200, content, headers)

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _paths(body: bytes, kind: str) -> list[str]:
    """Return the paths that a POST asks of."""
    if "json" in kind:
        paths = json.loads(body)["paths"]
        return [paths] if isinstance(paths, str) else list(paths)
    return parse_qs(body.decode()).get("paths", [])


def _entry(folder: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(folder).as_posix()
    if path.is_dir():
        return {"type": "directory", "path": name, "oid": hashlib.sha1(name.encode()).hexdigest(), "size": 0}
    content = path.read_bytes()
    return {"type": "file", "path": name, "oid": hashlib.sha1(content).hexdigest(), "size": len(content)}
