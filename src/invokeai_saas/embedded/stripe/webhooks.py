"""Events sent to those who listen, signed as Stripe signs, and again later when they are not taken.

The signature: https://docs.stripe.com/webhooks#verify-manually.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from hashlib import sha256

import httpx

from .account import Account
from .shapes import Obj

# Seconds until the next try after each that was not taken. Stripe goes on for three days; here people wait.
RETRY_SECONDS = (1, 5, 30, 120, 600, 3600, 4 * 3600, 12 * 3600, 24 * 3600)
_PATIENCE = 10.0


def signature(secret: str, body: bytes, moment: int) -> str:
    """The header Stripe-Signature of a body."""
    signed = hmac.new(secret.encode(), b"%d.%s" % (moment, body), sha256).hexdigest()
    return f"t={moment},v1={signed}"


def new_endpoint(account: Account, url: str, events: list[str], secret: str | None = None) -> Obj:
    """Somebody who listens from now on. The secret is shown this once."""
    made = account.new(
        "webhook_endpoint",
        {
            "url": url, "enabled_events": events, "status": "enabled", "metadata": {},
            "_secret": secret or f"whsec_{secrets.token_urlsafe(24)}",
        },
    )  # fmt: skip
    return {**made, "secret": made["_secret"]}


def keep_endpoint(account: Account, url: str, secret: str) -> None:
    """The one that our own service listens at, whatever its address was before."""
    for endpoint in account.store.all("webhook_endpoint"):
        if endpoint["_secret"] == secret:
            account.change(endpoint, url=url)
            return
    new_endpoint(account, url, ["*"], secret)


def deliver_one(account: Account, client: httpx.Client) -> bool:
    """Sends what is due first; tells whether anything was. The store is free while the network is spoken to."""
    with account.store.transaction():
        due = account.store.due_delivery(account.clock())
        if due is None:
            return False
        number, event_id, endpoint_id, tries = due
        event, endpoint = account.store.find(event_id), account.store.find(endpoint_id)
        if event is None or endpoint is None:
            account.store.delivered(number)
            return True
    taken = _send(client, endpoint, event)
    with account.store.transaction():
        if taken or tries >= len(RETRY_SECONDS):
            account.store.delivered(number)
            waiting = max(0, (account.store.find(event_id) or event)["pending_webhooks"] - int(taken))
            account.change(event, pending_webhooks=waiting)
        else:
            account.store.deliver_later(number, account.clock() + RETRY_SECONDS[tries])
    return True


def _send(client: httpx.Client, endpoint: Obj, event: Obj) -> bool:
    body = json.dumps(event).encode()
    headers = {
        "content-type": "application/json; charset=utf-8",
        "stripe-signature": signature(endpoint["_secret"], body, int(time.time())),
        "user-agent": "Stripe/1.0 (local)",
    }
    try:
        answer = client.post(endpoint["url"], content=body, headers=headers, timeout=_PATIENCE)
    except httpx.HTTPError:
        return False
    return answer.is_success
