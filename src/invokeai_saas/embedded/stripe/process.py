"""The local Stripe as a process of its own, and what it keeps in the data folder."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import SetupError
from ..ports import LOOPBACK, choose_ports
from ..state import write_private

if TYPE_CHECKING:
    from ...settings import Settings


@dataclass(frozen=True)
class LocalStripe:
    """Its port, and the two secrets that it shares with our service."""

    port: int
    secret_key: str
    webhook_secret: str

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def environment(self) -> dict[str, str]:
        """How our own processes find it."""
        return {
            "STRIPE_SECRET_KEY": self.secret_key,
            "STRIPE_WEBHOOK_SECRET": self.webhook_secret,
            "STRIPE_API_BASE": self.url,
        }


def load_or_make(folder: Path) -> LocalStripe:
    """What the folder remembers, with a port that is free now."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "stripe.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    ports = choose_ports(["stripe"], {"stripe": known["port"]} if known else {})
    made = LocalStripe(
        port=ports["stripe"],
        secret_key=known.get("secret_key") or f"sk_test_{secrets.token_hex(16)}",
        webhook_secret=known.get("webhook_secret") or f"whsec_{secrets.token_hex(16)}",
    )
    write_private(file, json.dumps(asdict(made)))
    return made


def serve_local_stripe(settings: Settings, folder: Path, port: int, webhook: str) -> None:
    """Serves on loopback until told to stop.

    Raises:
        SetupError: where people pay with real money, or without the secrets.
    """
    import uvicorn

    from .account import Account
    from .server import StripeServer
    from .store import Store
    from .webhooks import keep_endpoint

    if settings.deployment_mode != "local":
        raise SetupError("The local Stripe moves no money.", "Set STRIPE_SECRET_KEY to a key of Stripe's.")
    key = settings.stripe_secret_key.get_secret_value()
    secret = settings.stripe_webhook_secret.get_secret_value()
    if not key or not secret:
        raise SetupError(
            "STRIPE_SECRET_KEY or STRIPE_WEBHOOK_SECRET is not set.", "`invokeai-saas up` does it."
        )
    store = Store(folder / "stripe.sqlite")
    account = Account(store, f"http://{LOOPBACK}:{port}")
    with store.transaction():
        keep_endpoint(account, webhook, secret)
    app = StripeServer(account, key).app
    uvicorn.run(app, host=LOOPBACK, port=port, log_level="warning", access_log=False)
    store.close()
