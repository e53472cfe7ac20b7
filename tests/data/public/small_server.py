"""A server on this machine that answers as those of public data do, and fails as they do."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Served:
    """Files by path, and how the server misbehaves; every request is noted."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut_at: dict[str, list[int]] = field(default_factory=dict)  # bytes after which a request breaks off
    status: dict[str, list[int]] = field(default_factory=dict)  # answers before the file itself
    ranges: bool = True
    etags: dict[str, str] = field(default_factory=dict)
    redirect: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def start(self) -> ThreadingHTTPServer:
        """Serve on a free port until ``shutdown`` is called."""
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.answer(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    def answer(self, request: Any) -> None:
        path, span = request.path, request.headers.get("Range")
        self.asked.append((path, span))
        self.headers.append(dict(request.headers))
        if path in self.redirect:
            request.send_response(302)
            request.send_header("Location", self.redirect[path])
            request.end_headers()
            return
        status = self.status.get(path, [])
        code = status.pop(0) if status else (200 if path in self.files else 404)
        if code != 200:
            request.send_response(code)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        content, etag = self.files[path], self.etags.get(path)
        start = int(span.removeprefix("bytes=").rstrip("-")) if span and self.ranges else 0
        if request.headers.get("If-Range") not in (None, etag):
            start = 0
        if start and start >= len(content):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(content)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if etag:
            request.send_header("ETag", etag)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        cuts = self.cut_at.get(path, [])
        end = cuts.pop(0) if cuts else len(content)
        request.wfile.write(content[start:end])
        if end < len(content):
            request.close_connection = True
