"""InvokeAI's page as it lies on disk after `portal.install`, and how its files are answered.

Only files that the manifest lists are ever opened, so no request can name another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from invokeai_saas.negotiation import accepts_gzip, is_fresh

MANIFEST = ".installed.json"
# What browsers are told, whatever the machine's own table of types says.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
COMPRESSED = frozenset({".css", ".html", ".ico", ".js", ".json", ".svg"})

_YEAR = "public, max-age=31536000, immutable"  # names in assets/ carry a digest of what is in them
_HOUR = "public, max-age=3600"
_CHECK = "no-cache"  # keep it, and ask each time whether it is still good


@dataclass(frozen=True)
class InstalledFile:
    """One file of the page. Parameters: etag: digest of its content; gzip: whether compressed, too."""

    media_type: str
    etag: str
    gzip: bool


@dataclass(frozen=True)
class InstalledPage:
    """The page's folder and what is in it."""

    root: Path
    files: Mapping[str, InstalledFile]

    def find(self, prefix: str) -> str | None:
        """The first file whose name begins so; for names that carry a digest."""
        return next((name for name in sorted(self.files) if name.startswith(prefix)), None)

    def answer(self, request: Request, name: str) -> Response:
        """The file of this name, one of `files`: compressed for who takes that, 304 for who has it."""
        file = self.files[name]
        packed = file.gzip and accepts_gzip(request)
        etag = f'"{file.etag}-gz"' if packed else f'"{file.etag}"'
        headers = {"ETag": etag, "Cache-Control": _cache_control(name), "Content-Type": file.media_type}
        if file.gzip:
            headers["Vary"] = "Accept-Encoding"
        if name == "index.html":
            headers["Content-Security-Policy"] = "frame-ancestors 'self'"
        if is_fresh(request, etag):
            return Response(status_code=304, headers=headers)
        path = self.root / name
        if packed:
            headers["Content-Encoding"] = "gzip"
            path = path.with_name(f"{path.name}.gz")
        return FileResponse(path, headers=headers)


def _cache_control(name: str) -> str:
    if name == "index.html":
        return _CHECK
    # The pictures under assets/images keep their names from release to release.
    return _YEAR if name.startswith("assets/") and not name.startswith("assets/images/") else _HOUR


def write_manifest(path: Path, source: str, files: Mapping[str, InstalledFile]) -> None:
    """Writes what `read_page` reads."""
    listing = {name: asdict(file) for name, file in files.items()}
    path.write_text(json.dumps({"source": source, "files": listing}, indent=1), encoding="utf-8")


def read_page(page_dir: Path) -> InstalledPage | None:
    """The installed page; None when there is none."""
    try:
        manifest = json.loads((page_dir / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return InstalledPage(page_dir, {name: InstalledFile(**file) for name, file in manifest["files"].items()})
