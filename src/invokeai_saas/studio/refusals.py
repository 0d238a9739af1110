"""The operations of InvokeAI's contract that we answer with a refusal, and the end of the line for unknown ones.

Two kinds: what is our staff's to do (403), and what is not built yet (501). Both need a log-in, like the
operations that are served. docs/contract.md lists them all, and a test holds it to this table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import APIRouter, Request

from invokeai_saas.errors import Forbidden, NotFound, NotServed
from invokeai_saas.identity.access import Shared, caller

router = APIRouter()

_MODELS = "The servers that hold and load models are our staff's."
_SERVER = "How the servers are set up is decided by our staff."
_NODES = "Only our own nodes run on shared workers: packs of custom nodes can't be installed."
_WORKERS = (
    "The workers serve everybody: they are our staff's to stop and to start. Cancel jobs of yours instead."
)
_LANGUAGE_MODELS = "Prompts are not written by language models here. Please write the prompt yourself."
_UPLOADS = (
    "Pictures are uploaded to /api/v1/images/upload: this operation is not implemented in InvokeAI either."
)


@dataclass(frozen=True)
class Refusal:
    """Parameters: path: as in the contract, with {parameters}; staff: 403 rather than 501."""

    methods: frozenset[str]
    path: str
    message: str
    staff: bool

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches paths of this operation. Only `{...path}` may hold slashes."""
        parts = re.split(r"(\{\w+\})", self.path)
        wild = [".+" if part.endswith("_path}") else "[^/]+" for part in parts[1::2]]
        fixed = [re.escape(part) for part in parts[::2]]
        return re.compile("".join(a + b for a, b in zip(fixed, [*wild, ""], strict=True)))


def _table(staff: bool, lines: str, message: str) -> list[Refusal]:
    found = []
    for line in lines.split("\n"):
        if line.strip():
            path, *methods = line.split()
            found.append(Refusal(frozenset(methods), f"/api/{path}", message, staff))
    return found


REFUSALS = [
    *_table(
        True,
        """
        v1/app/runtime_config GET PATCH
        v1/app/logging GET POST
        v1/app/invocation_cache DELETE
        v1/app/invocation_cache/disable PUT
        v1/app/invocation_cache/enable PUT
        v1/app/invocation_cache/status GET
        v1/app/external_providers/config GET
        v1/app/external_providers/config/{provider_id} POST DELETE
        v1/image_moves/recover POST
        v1/image_moves/start POST
        v1/image_moves/status GET
        """,
        _SERVER,
    ),
    *_table(
        True,
        """
        v1/queue/{queue_id}/processor/pause PUT
        v1/queue/{queue_id}/processor/resume PUT
        """,
        _WORKERS,
    ),
    *_table(
        True,
        """
        v2/custom_nodes/ GET
        v2/custom_nodes/install POST
        v2/custom_nodes/reload POST
        v2/custom_nodes/{pack_name} DELETE
        """,
        _NODES,
    ),
    *_table(
        True,
        """
        v1/utilities/expand-prompt POST
        v1/utilities/image-to-prompt POST
        """,
        _LANGUAGE_MODELS,
    ),
    *_table(
        True,
        """
        v2/models/empty_model_cache POST
        v2/models/hf_login GET POST DELETE
        v2/models/scan_folder GET
        v2/models/stats GET
        v2/models/sync/orphaned GET DELETE
        """,
        _MODELS,
    ),
    *_table(
        False,
        """
        v1/images/ POST
        """,
        _UPLOADS,
    ),
]
_PATTERNS = [(refusal.pattern, refusal) for refusal in REFUSALS]


@router.api_route(
    "/api/{path:path}",
    methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    include_in_schema=False,
)
async def refuse(request: Request, shared: Shared) -> None:
    """Whatever no route before this one has taken."""
    for pattern, refusal in _PATTERNS:
        if request.method in refusal.methods and pattern.fullmatch(request.url.path):
            await caller(request, shared)
            raise Forbidden(refusal.message) if refusal.staff else NotServed(refusal.message)
    raise NotFound("This address")
