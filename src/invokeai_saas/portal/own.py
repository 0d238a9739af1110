"""Our own pages and scripts: templates and small files of this package, kept in memory.

They are a few kilobytes each and change only with a release. Pages carry a policy that lets nothing run or
load but what comes from here; that is why they hold no inline script and no inline style.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from invokeai_saas.negotiation import accepts_gzip, is_fresh
from invokeai_saas.portal.page import COMPRESSED, MEDIA_TYPES

_HERE = Path(__file__).parent
_STATIC = _HERE / "static"
# One tag is all that we add to InvokeAI's page, so the script behind it is joined from its parts.
_JOINED = {
    "bar.js": ("session.js", "words.js", "notices.js", "fresh.js", "leaving.js", "socket.js", "bar.js")
}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",  # scripts send the forms, so no password can end up in an address
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_templates = Environment(
    loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


@dataclass(frozen=True)
class StaticFile:
    """A file of ours, plain and compressed; pictures are small by themselves, and `packed` is empty."""

    media_type: str
    etag: str
    plain: bytes
    packed: bytes

    def answer(self, request: Request) -> Response:
        """The file, or 304 for who has it already. Names stay the same, so browsers ask each time."""
        packed = bool(self.packed) and accepts_gzip(request)
        etag = f'"{self.etag}-gz"' if packed else f'"{self.etag}"'
        headers = {
            "ETag": etag,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
            "Content-Type": self.media_type,
        }
        if is_fresh(request, etag):
            return Response(status_code=304, headers=headers)
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(self.packed if packed else self.plain, headers=headers)


def _load(name: str) -> StaticFile:
    parts = _JOINED.get(name, (name,))
    content = b"\n".join((_STATIC / part).read_bytes() for part in parts)
    return StaticFile(
        media_type=MEDIA_TYPES[Path(name).suffix],
        etag=sha256(content).hexdigest()[:20],
        plain=content,
        packed=gzip.compress(content, mtime=0) if Path(name).suffix in COMPRESSED else b"",
    )


# By their path below static/, as addresses below /portal/ name them.
STATIC_FILES = {
    name: _load(name)
    for name in sorted(path.relative_to(_STATIC).as_posix() for path in _STATIC.rglob("*") if path.is_file())
}


def render(template: str, status: int = 200, **context: object) -> HTMLResponse:
    """One of our pages. Parameters: template: its file name; context: what it speaks of."""
    html = _templates.get_template(template).render(context)
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return HTMLResponse(html, status_code=status, headers=headers)
