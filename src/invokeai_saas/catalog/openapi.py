"""The OpenAPI document: our own routes, and the node schemas that InvokeAI's page builds its nodes from.

It is a megabyte and a half. So it is put together once a process, off the event loop, and kept as bytes, plain
and compressed.
"""

from __future__ import annotations

import asyncio
import gzip
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import Response

from invokeai_saas.catalog.nodes import NodeCatalog
from invokeai_saas.catalog.refusals import describe_refusals

_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class _Prepared:
    plain: bytes
    packed: bytes
    digest: str


class DescribedApi:
    """The document of one application.

    Parameters:
        app: whose routes are described.
        nodes: InvokeAI's node schemas.
    """

    def __init__(self, app: FastAPI, nodes: NodeCatalog) -> None:
        self._app = app
        self._nodes = nodes
        self._once = asyncio.Lock()
        self._prepared: _Prepared | None = None

    async def answer(self, request: Request) -> Response:
        """The document, compressed for who takes it; 304 for who has it."""
        if self._prepared is None:
            async with self._once:
                if self._prepared is None:
                    self._prepared = await asyncio.to_thread(self._prepare)
        packs = "gzip" in request.headers.get("accept-encoding", "")
        etag = f'"{self._prepared.digest}{"-gz" if packs else ""}"'
        headers = {"ETag": etag, "Vary": "Accept-Encoding", "Cache-Control": "no-cache"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if packs:
            headers["Content-Encoding"] = "gzip"
        body = self._prepared.packed if packs else self._prepared.plain
        return Response(body, media_type="application/json", headers=headers)

    def _prepare(self) -> _Prepared:
        plain = orjson.dumps(self._document())
        return _Prepared(plain, gzip.compress(plain, 6, mtime=0), sha256(plain).hexdigest()[:32])

    def _document(self) -> dict[str, Any]:
        document = get_openapi(title=self._app.title, version=self._app.version, routes=self._app.routes)
        document.setdefault("components", {}).setdefault("schemas", {})
        document["components"]["securitySchemes"] = {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"HTTPBearer": []}]
        _declare_path_parameters(document)
        describe_refusals(document, self._app.routes)
        own = document["components"]["schemas"]
        # InvokeAI's definition wins where both have one of a name: the page compares nodes' fields with it.
        document["components"]["schemas"] = own | self._nodes.document["components"]["schemas"]
        return document


def _declare_path_parameters(document: dict[str, Any]) -> None:
    """Adds the parts of paths that an operation makes nothing of, like `queue_id`: clients must still fill them."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            declared = operation.setdefault("parameters", [])
            known = {parameter["name"] for parameter in declared if parameter["in"] == "path"}
            declared += [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in _PARAMETER.findall(path)
                if name not in known
            ]
