"""Stripe's library, set up once a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import stripe
import structlog
from stripe import StripeClient
from stripe._http_client import HTTPXClient

from invokeai_saas.errors import CardDeclined, ServiceError, SetupError, Unavailable
from invokeai_saas.settings import Settings

if TYPE_CHECKING:
    from stripe._base_address import BaseAddresses

log = structlog.get_logger(__name__)
_PATIENCE = 20.0  # seconds for an answer
_RETRIES = 2  # the library gives them one idempotency key, so that nothing happens twice


def check_payments(settings: Settings) -> None:
    """Refuses a local Stripe where people pay, and half a set-up anywhere.

    Raises:
        SetupError: says which variable is wrong.
    """
    if settings.deployment_mode == "saas" and settings.stripe_api_base:
        raise SetupError(
            "STRIPE_API_BASE is set, but payments go to Stripe itself where DEPLOYMENT_MODE is saas.",
            "Remove STRIPE_API_BASE.",
        )
    if bool(settings.stripe_secret_key.get_secret_value()) != bool(
        settings.stripe_webhook_secret.get_secret_value()
    ):
        raise SetupError(
            "Only one of STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET is set.", "Set both, or neither."
        )


def open_stripe(settings: Settings) -> StripeClient | None:
    """The library's client, for calls with and without await; None where payments are not set up.

    Raises:
        SetupError: see check_payments.
    """
    check_payments(settings)
    key = settings.stripe_secret_key.get_secret_value()
    if not key:
        return None
    stripe.enable_telemetry = False
    stripe.set_app_info("invokeai-saas")
    base: BaseAddresses = {}
    if settings.stripe_api_base:
        base = {"api": settings.stripe_api_base}
    transport = HTTPXClient(timeout=_PATIENCE, allow_sync_methods=True)
    return StripeClient(key, base_addresses=base, http_client=transport, max_network_retries=_RETRIES)


async def close_stripe(client: StripeClient) -> None:
    """Lets go of the connections for calls with await."""
    await client._requestor._client.close_async()  # type: ignore[union-attr]


def said(error: stripe.StripeError) -> ServiceError:
    """What a person is told when Stripe did not do what was asked."""
    if isinstance(error, stripe.CardError):
        reason = error.user_message or "Your card was declined."
        return CardDeclined(f"{reason} Change your card under Payment method, then try again.")
    # Ours to look into: Stripe is away, or we asked for something that it does not understand.
    log.error(
        "stripe_failed",
        error=type(error).__name__,
        code=error.code,
        request=error.request_id,
        said=str(error),
    )
    return Unavailable("Payments cannot be reached right now. Please try again in a moment.")
