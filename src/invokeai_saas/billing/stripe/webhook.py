"""What Stripe tells us: believed for its signature, kept, and answered. The scheduler applies it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import stripe
import structlog

from invokeai_saas.billing.service import NOBODY
from invokeai_saas.billing.stripe import repository
from invokeai_saas.db.session import Database
from invokeai_saas.errors import BadRequest, Unavailable
from invokeai_saas.settings import Settings

log = structlog.get_logger(__name__)


async def receive(database: Database, settings: Settings, body: bytes, signature: str | None) -> None:
    """Keeps an event once, however often it comes.

    Parameters:
        body: as it came, since the signature is of its bytes.
        signature: the header Stripe-Signature.

    Raises:
        BadRequest: the signature is not Stripe's, or is more than five minutes old.
        Unavailable: payments are not set up.
    """
    secret = settings.stripe_webhook_secret.get_secret_value()
    if not secret:
        raise Unavailable("Payments are not set up.")
    event = _verified(body, signature, secret)
    async with database.write(NOBODY) as db:
        created = datetime.fromtimestamp(event["created"], UTC)
        new = await repository.store_event(db, event["id"], event["type"], created, event)
    log.info("stripe_event", stripe_event=event["id"], type=event["type"], new=new)


def _storable(value: Any) -> Any:
    """JSON as the database can hold it: without NUL and halves of characters, which people may write into names."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode(errors="replace").decode()
    if isinstance(value, list):
        return [_storable(entry) for entry in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(entry) for name, entry in value.items()}
    return value


def _verified(body: bytes, signature: str | None, secret: str) -> dict[str, Any]:
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, stripe.Webhook.DEFAULT_TOLERANCE)
        event = json.loads(body)
        if event["object"] != "event" or not isinstance(event["data"]["object"], dict):
            raise ValueError("no event")
        return {name: _storable(value) for name, value in event.items()}
    except (stripe.SignatureVerificationError, UnicodeError, ValueError, KeyError, TypeError) as error:
        log.warning("stripe_event_refused", error=type(error).__name__)
        raise BadRequest("This is not signed by Stripe.", code="bad_signature") from error
