"""Applies what Stripe told us: asks Stripe for the object again, and makes our records say what it says.

So the order of events cannot matter, nor how often one comes, nor what stands in it. All of one customer's are applied
one after the other, each reading Stripe under a lock: nothing older is written over something newer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import structlog
from stripe import InvalidRequestError, StripeClient

from invokeai_saas.billing.stripe import reading
from invokeai_saas.billing.stripe.reading import Obj
from invokeai_saas.billing.stripe.records import BillingRecords, WaitingEvent

log = structlog.get_logger(__name__)
_DISPUTES = (
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
)
# Of a dispute's states (https://docs.stripe.com/api/disputes/object) those in which the money is ours: it is won, or a
# bank has only asked. What is still open has taken the money meanwhile.
_NOT_LOST = frozenset({"won", "warning_needs_response", "warning_under_review", "warning_closed"})
_SUBSCRIPTION_PARTS = ["data.latest_invoice", "data.schedule"]


class Applier:
    """Parameters: grace_days: how long a plan goes on when a renewal is not paid."""

    def __init__(self, client: StripeClient, records: BillingRecords, grace_days: float) -> None:
        self._stripe = client
        self._records = records
        self._grace_days = grace_days
        self._handlers: dict[str, Callable[[UUID, Obj], None]] = {
            "sync.requested": self._subscriptions,
            "checkout.session.completed": self._checkout,
            "customer.subscription.created": self._subscriptions,
            "customer.subscription.updated": self._subscriptions,
            "customer.subscription.deleted": self._subscriptions,
            "subscription_schedule.updated": self._subscriptions,
            "subscription_schedule.released": self._subscriptions,
            "invoice.finalized": self._invoice,
            "invoice.paid": self._invoice,
            "invoice.payment_failed": self._invoice,
            "invoice.voided": self._invoice,
            "charge.refunded": self._charge,
            **dict.fromkeys(_DISPUTES, self._dispute),
        }

    def apply(self, event: WaitingEvent) -> UUID | None:
        """Applies one event; answers whose it was, None for what is not ours.

        Raises:
            stripe.StripeError: Stripe could not be asked. The event is to be tried again.
            psycopg.Error: nor could the database.
        """
        handler = self._handlers.get(event.type)
        if handler is None:
            return None
        told = event.payload["data"]["object"]
        customer = self._customer_of(event.type, told)
        if customer is None:
            return None
        with self._records.customer(customer) as user:
            if user is None:
                return None
            handler(user, told | {"customer": customer})
            return user

    def _customer_of(self, kind: str, told: Obj) -> str | None:
        """A dispute names its charge only."""
        if kind.startswith("charge.dispute."):
            return reading.named(
                self._plain(self._stripe.v1.charges.retrieve(told["charge"])).get("customer")
            )
        return reading.named(told.get("customer"))

    @staticmethod
    def _plain(found: Any) -> Obj:
        plain: Obj = found.to_dict(for_json=True)
        return plain

    def _subscriptions(self, user: UUID, told: Obj) -> None:
        """All subscriptions of a customer as they are now, the one that counts last."""
        listed = self._stripe.v1.subscriptions.list(
            {"customer": told["customer"], "status": "all", "limit": 100, "expand": _SUBSCRIPTION_PARTS}
        )
        found = [self._plain(one) for one in listed.auto_paging_iter()]
        chosen = reading.primary(found)
        for one in found:
            if chosen is not None and reading.is_live(one) and one["id"] != chosen["id"]:
                self._undo(one)
        wanted = [one for one in found if not reading.is_live(one)] + ([chosen] if chosen else [])
        mirrored = [reading.mirrored(one, self._grace_days, self._following(one)) for one in wanted]
        self._records.sync(user, [one for one in mirrored if one is not None])

    def _following(self, subscription: Obj) -> Obj | None:
        name = reading.following_price(subscription)
        return self._plain(self._stripe.v1.prices.retrieve(name)) if name else None

    def _undo(self, second: Obj) -> None:
        """Ends a subscription that somebody began beside the one that they had, and gives its money back."""
        name = second["id"]
        log.warning("second_subscription_undone", subscription=name)
        invoice = second.get("latest_invoice")
        if isinstance(invoice, dict) and invoice["status"] == "paid" and invoice["amount_paid"]:
            whole = self._plain(self._stripe.v1.invoices.retrieve(invoice["id"], {"expand": ["payments"]}))
            intent = reading.intent_of(whole)
            if intent is not None:
                self._stripe.v1.refunds.create(
                    {"payment_intent": intent, "reason": "duplicate"},
                    {"idempotency_key": f"undo:{name}:{intent}"},
                )
        self._stripe.v1.subscriptions.cancel(name)

    def _checkout(self, user: UUID, told: Obj) -> None:
        session = self._plain(self._stripe.v1.checkout.sessions.retrieve(told["id"]))
        if session["status"] != "complete":
            return
        if session.get("invoice"):
            self._apply_invoice(user, session["invoice"])
        if session["mode"] == "subscription":
            self._subscriptions(user, told)

    def _invoice(self, user: UUID, told: Obj) -> None:
        if self._apply_invoice(user, told["id"]):
            self._subscriptions(user, told)

    def _apply_invoice(self, user: UUID, name: str) -> bool:
        """Keeps an invoice as it is now; True when it is of a subscription."""
        try:
            found = self._stripe.v1.invoices.retrieve(name, {"expand": ["payments"]})
        except InvalidRequestError as error:
            if error.http_status == 404:  # a draft that was deleted
                return False
            raise
        invoice = self._plain(found)
        facts = reading.invoice_facts(invoice, self._prices(invoice), self._grace_days)
        self._records.apply_invoice(user, facts)
        return facts["subscription"] is not None

    def _prices(self, invoice: Obj) -> dict[str, Obj]:
        names = {line["pricing"]["price_details"]["price"] for line in invoice["lines"]["data"]}
        return {name: self._plain(self._stripe.v1.prices.retrieve(name)) for name in names}

    def _charge(self, user: UUID, told: Obj) -> None:
        charge = self._plain(self._stripe.v1.charges.retrieve(told["id"]))
        self._given_back(user, charge)

    def _dispute(self, user: UUID, told: Obj) -> None:
        charge = self._plain(self._stripe.v1.charges.retrieve(told["charge"]))
        self._given_back(user, charge)

    def _given_back(self, user: UUID, charge: Obj) -> None:
        """Money that left again: what it bought is applied first, should that not have come yet, then taken back."""
        intent = reading.named(charge.get("payment_intent"))
        if intent is None:
            return
        paid = self._stripe.v1.invoice_payments.list(
            {"payment": {"type": "payment_intent", "payment_intent": intent}, "limit": 1}
        )
        for payment in paid.data:
            self._apply_invoice(user, str(reading.named(self._plain(payment)["invoice"])))
        taken = self._records.take_back(intent, charge["amount_refunded"], self._is_lost(charge))
        log.info("payment_given_back", tenant=str(user), intent=intent, credits_taken_back=taken)

    def _is_lost(self, charge: Obj) -> bool:
        """Whether a dispute has the money. `disputed` stays true of a charge when that has ended well."""
        if not charge["disputed"]:
            return False
        disputes = self._stripe.v1.disputes.list({"charge": charge["id"], "limit": 100})
        return any(_has_taken(self._plain(one)) for one in disputes.data)


def _has_taken(dispute: Obj) -> bool:
    """Whether the money is with the bank or its customer. What Stripe has blocked never went, what it resolved did."""
    if dispute["status"] == "prevented":
        card = (dispute.get("payment_method_details") or {}).get("card") or {}
        return bool(card.get("case_type") != "block")
    return dispute["status"] not in _NOT_LOST
