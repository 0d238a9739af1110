"""Where Stripe sends its events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from invokeai_saas.billing.stripe import webhook
from invokeai_saas.identity.access import Shared

router = APIRouter(prefix="/api/v1/saas/stripe", tags=["billing"])


# Read as bytes, since the signature is of those; the document should say what comes all the same.
_EVENT = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


@router.post("/webhook", status_code=204, response_class=Response, openapi_extra=_EVENT)
async def receive_event(
    request: Request, shared: Shared, stripe_signature: Annotated[str | None, Header()] = None
) -> None:
    """A success once the event is kept; Stripe sends it again otherwise."""
    await webhook.receive(shared.database, shared.settings, await request.body(), stripe_signature)
