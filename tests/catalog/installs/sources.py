"""A model site on loopback, and files that it serves: good ones and hostile ones."""

from __future__ import annotations

import hashlib
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


def safetensors(tensors: dict[str, bytes] | None = None, **header: Any) -> bytes:
    """A file of the format. Parameters: header: entries that replace or add to those that would be right."""
    tensors = tensors or {"lora_unet_down.lora_up.weight": bytes(64)}
    entries: dict[str, Any] = {}
    place = 0
    for name, data in tensors.items():
        entries[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [place, place + len(data)]}
        place += len(data)
    text = json.dumps(entries | header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(tensors.values())


class Site:
    """Paths and what they answer: bytes, or a function that writes the answer itself."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.files: dict[str, bytes | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, str | None, str | None]] = []  # path, Range, Authorization

    def repository(self, name: str, files: dict[str, bytes], *, hashes: dict[str, str] | None = None) -> None:
        """A repository of the hub's."""
        siblings = []
        for path, data in files.items():
            digest = (hashes or {}).get(path, hashlib.sha256(data).hexdigest())
            lfs = {"sha256": digest, "size": len(data)} if path.endswith(".safetensors") else None
            siblings.append({"rfilename": path, "size": len(data), "lfs": lfs})
            self.files[f"/{name}/resolve/main/{path}"] = data
        self.files[f"/api/models/{name}"] = json.dumps({"id": name, "siblings": siblings}).encode()


@contextmanager
def serving() -> Iterator[Site]:
    """A site on a free port of loopback."""
    site: Site

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            site.asked.append((path, self.headers.get("range"), self.headers.get("authorization")))
            answer = site.files.get(path)
            if answer is None:
                self.send_error(404)
            elif callable(answer):
                answer(self)
            else:
                send_bytes(self, answer)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=120)


def send_bytes(handler: BaseHTTPRequestHandler, data: bytes, etag: str = '"v1"') -> None:
    """A file, or the range of it that was asked for."""
    wanted = handler.headers.get("range", "")
    start = 0
    if wanted.startswith("bytes=") and handler.headers.get("if-range") == etag:
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    else:
        handler.send_response(200)
    handler.send_header("Content-Length", str(len(data) - start))
    handler.send_header("ETag", etag)
    handler.end_headers()
    handler.wfile.write(data[start:])


def redirecting(to: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.end_headers()

    return answer


def endless(head: bytes = b"") -> Callable[[BaseHTTPRequestHandler], None]:
    """A body without a length and without an end."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            handler.wfile.write(head)
            while True:
                handler.wfile.write(bytes(2**20))
        except OSError:
            return

    return answer


def slow(data: bytes, gate: threading.Event) -> Callable[[BaseHTTPRequestHandler], None]:
    """Sends half, then waits for the gate; ranges go at once."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers.get("range"):
            send_bytes(handler, data)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("ETag", '"v1"')
        handler.end_headers()
        try:
            handler.wfile.write(data[: len(data) // 2])
            handler.wfile.flush()
            until = time.monotonic() + 120
            while not gate.wait(0.05) and time.monotonic() < until:
                handler.wfile.write(b"")
            handler.wfile.write(data[len(data) // 2 :])
        except OSError:
            return

    return answer
