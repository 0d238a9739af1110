"""Invoices: what is owed, when it is tried to be collected, and what comes of that."""

from __future__ import annotations

from typing import Any

from .account import Account, new_id
from .payments import declined, default_card, pay
from .shapes import Obj

# Days until the next try after each that failed; after the last the subscription is cancelled.
RETRY_DAYS = (3, 5, 7)
_DAY = 86400


def line(price: Obj, amount: int, description: str, start: int, end: int, **facts: Any) -> Obj:
    """A line of an invoice.

    Parameters:
        amount: cents; below zero for what is given back.
        start, end: what time it is for, seconds since 1970.
        facts: subscription, subscription_item and proration, of a subscription's line; quantity.
    """
    parent = None
    if "subscription" in facts:
        details = {
            "invoice_item": None,
            "proration": facts.get("proration", False),
            "proration_details": {"credited_items": None},
            "subscription": facts["subscription"],
            "subscription_item": facts["subscription_item"],
        }
        parent = {
            "type": "subscription_item_details",
            "subscription_item_details": details,
            "invoice_item_details": None,
        }
    return {
        "id": new_id("line_item"), "object": "line_item", "amount": amount, "currency": price["currency"],
        "description": description, "discountable": parent is None or not facts.get("proration"), "discounts": [],
        "discount_amounts": [], "livemode": False, "metadata": {}, "parent": parent,
        "period": {"start": start, "end": end},
        "pricing": {
            "type": "price_details", "price_details": {"price": price["id"], "product": price["product"]},
            "unit_amount_decimal": str(price["unit_amount"]),
        },
        "quantity": facts.get("quantity", 1), "subtotal": amount, "subscription": facts.get("subscription"),
        "taxes": [],
    }  # fmt: skip


def draft(account: Account, customer: Obj, lines: list[Obj], reason: str, **facts: Any) -> Obj:
    """An invoice that is not kept yet. What the customer has to their credit is taken off.

    Parameters:
        facts: subscription (object), metadata.
    """
    now = account.now(customer["id"])
    total = sum(entry["amount"] for entry in lines)
    owed = total + customer["balance"]
    subscription = facts.get("subscription")
    parent = None
    if subscription is not None:
        details = {"subscription": subscription["id"], "metadata": subscription["metadata"]}
        parent = {"type": "subscription_details", "subscription_details": details, "quote_details": None}
    return {
        "object": "invoice", "account_country": "US", "account_name": "The local Stripe",
        "amount_due": max(0, owed), "amount_overpaid": 0, "amount_paid": 0, "amount_remaining": max(0, owed),
        "amount_shipping": 0, "attempt_count": 0, "attempted": False, "auto_advance": True,
        "automatic_tax": {"enabled": False}, "billing_reason": reason, "collection_method": "charge_automatically",
        "created": now, "currency": lines[0]["currency"], "customer": customer["id"],
        "customer_email": customer.get("email"), "customer_name": customer.get("name"), "default_tax_rates": [],
        "discounts": [], "ending_balance": None, "issuer": {"type": "self"}, "livemode": False,
        "lines": {"object": "list", "data": lines, "has_more": False, "url": "/v1/invoices/upcoming/lines"},
        "metadata": facts.get("metadata", {}), "parent": parent, "payment_settings": {},
        "payments": {"object": "list", "data": [], "has_more": False, "url": "/v1/invoice_payments"},
        "period_end": now, "period_start": now, "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0, "starting_balance": customer["balance"], "status": "draft",
        "status_transitions": {}, "subtotal": total, "total": total, "total_discount_amounts": [], "total_taxes": [],
    }  # fmt: skip


def finalise(account: Account, customer: Obj, values: Obj) -> Obj:
    """Keeps an invoice as one that is owed."""
    invoice = account.new("invoice", values, customer=customer["id"])
    number = len([one for one in account.store.all("invoice") if one["customer"] == customer["id"]])
    invoice["number"] = f"{customer['invoice_prefix']}-{number:04d}"
    invoice["lines"]["url"] = f"/v1/invoices/{invoice['id']}/lines"
    for entry in invoice["lines"]["data"]:
        entry["invoice"] = invoice["id"]
    account.emit("invoice.created", account.store.put(invoice))
    left = min(0, invoice["total"] + customer["balance"])
    account.change(customer, "customer.updated", balance=left)
    return account.change(
        invoice,
        "invoice.finalized",
        status="open",
        ending_balance=left,
        hosted_invoice_url=f"{account.base_url}/i/{invoice['id']}",
        status_transitions={"finalized_at": account.now(customer["id"])},
        effective_at=account.now(customer["id"]),
    )


def collect(account: Account, invoice: Obj, method: Obj | None) -> bool:
    """Tries to be paid; tells whether it was."""
    now = account.now(invoice["customer"])
    if invoice["amount_remaining"] == 0:
        _paid(account, invoice, now, 0)
        return True
    number = invoice["number"]
    amount = invoice["amount_remaining"]
    intent, charge = pay(
        account, invoice["customer"], method, amount, invoice["currency"],
        {"description": f"Invoice {number}", "metadata": dict(invoice["metadata"])},
    )  # fmt: skip
    payment = account.new(
        "invoice_payment",
        {
            "amount_paid": amount if charge else None, "amount_requested": amount, "currency": invoice["currency"],
            "invoice": invoice["id"], "is_default": True, "status": "paid" if charge else "open",
            "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
            "status_transitions": {"paid_at": now if charge else None, "canceled_at": None},
        },
        customer=invoice["customer"],
    )  # fmt: skip
    invoice["payments"]["data"] = [payment, *invoice["payments"]["data"]]
    invoice["attempt_count"] += 1
    invoice["attempted"] = True
    if charge is not None:
        account.emit("invoice_payment.paid", payment)
        _paid(account, invoice, now, amount)
        return True
    tries = invoice["attempt_count"]
    later = now + RETRY_DAYS[tries - 1] * _DAY if tries <= len(RETRY_DAYS) else None
    account.change(invoice, next_payment_attempt=later)
    account.emit("invoice.payment_failed", invoice)
    return False


def _paid(account: Account, invoice: Obj, now: int, amount: int) -> None:
    account.change(
        invoice,
        status="paid",
        amount_paid=amount,
        amount_remaining=0,
        attempted=True,
        next_payment_attempt=None,
        status_transitions={**invoice["status_transitions"], "paid_at": now},
    )
    account.emit("invoice.paid", invoice)
    account.emit("invoice.payment_succeeded", invoice)


def why_declined(account: Account, invoice: Obj) -> str:
    """Stripe's decline code of the last try."""
    for payment in invoice["payments"]["data"]:
        intent = account.store.find(payment["payment"]["payment_intent"])
        if intent and intent.get("last_payment_error"):
            return str(intent["last_payment_error"]["decline_code"])
    return "generic_decline"


def pay_now(account: Account, invoice: Obj, method: Obj | None) -> bool:
    """Pays an open invoice at somebody's wish.

    Raises:
        Refused: the card was declined; the attempt stays recorded.
    """
    customer = account.get("customer", invoice["customer"])
    if collect(account, invoice, method or default_card(account, customer)):
        return True
    raise declined(why_declined(account, invoice))
