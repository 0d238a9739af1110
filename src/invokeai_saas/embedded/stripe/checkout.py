"""Checkout: a page on which a customer pays once, or begins a subscription."""

from __future__ import annotations

from . import invoices, subscriptions
from .account import Account, new_id
from .errors import Refused
from .payments import attach, declined, new_card, pay
from .shapes import Obj

_DAY = 86400


def create(account: Account, params: Obj) -> Obj:
    """A session, open for a day."""
    customer = account.get("customer", params.get("customer", ""), "customer")
    mode = params.get("mode", "payment")
    if mode not in ("payment", "subscription"):
        raise Refused(f"The local Stripe has no mode {mode}.", param="mode")
    if "success_url" not in params:
        raise Refused("Missing required param: success_url.", code="parameter_missing", param="success_url")
    items = [_item(account, given, mode) for given in params.get("line_items", [])]
    if len(items) != 1:
        raise Refused("The local Stripe sells one thing a session.", param="line_items")
    now = account.now(customer["id"])
    total = sum(item["amount_total"] for item in items)
    session = account.new(
        "checkout.session",
        {
            "amount_subtotal": total, "amount_total": total, "automatic_tax": {"enabled": False},
            "cancel_url": params.get("cancel_url"), "client_reference_id": params.get("client_reference_id"),
            "currency": items[0]["currency"], "custom_fields": [], "custom_text": {}, "customer": customer["id"],
            "expires_at": params.get("expires_at", now + _DAY), "metadata": params.get("metadata", {}), "mode": mode,
            "payment_method_types": ["card"], "payment_status": "unpaid", "shipping_options": [], "status": "open",
            "success_url": params["success_url"], "ui_mode": "hosted_page", "_items": items, "_params": params,
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        },
        customer=customer["id"],
    )  # fmt: skip
    return account.change(session, url=f"{account.base_url}/c/pay/{session['id']}")


def _item(account: Account, given: Obj, mode: str) -> Obj:
    price = account.get("price", given.get("price", ""), "line_items[0][price]")
    if (price["type"] == "recurring") != (mode == "subscription"):
        raise Refused(f"A price of type {price['type']} does not go with mode {mode}.", param="line_items")
    quantity = given.get("quantity", 1)
    product = account.get("product", price["product"])
    amount = price["unit_amount"] * quantity
    return {
        "id": new_id("item"), "object": "item", "amount_discount": 0, "amount_subtotal": amount, "amount_tax": 0,
        "amount_total": amount, "currency": price["currency"], "description": product["name"], "price": price,
        "quantity": quantity,
    }  # fmt: skip


def is_open(account: Account, session: Obj) -> bool:
    """Whether it can still be paid."""
    return bool(session["status"] == "open" and account.now(session["customer"]) < session["expires_at"])


def expire(account: Account, session: Obj) -> Obj:
    """Closes a session that nobody has paid.

    Raises:
        Refused: it is no longer open.
    """
    if session["status"] != "open":
        raise Refused('Only Checkout Sessions with a status in ["open"] can be expired.')
    return account.change(session, "checkout.session.expired", status="expired", url=None)


def complete(account: Account, session: Obj, number: str, month: int, year: int) -> Obj:
    """The customer pays with a card.

    Raises:
        Refused: the card was declined, or the session is closed. It can be tried again.
    """
    if not is_open(account, session):
        raise Refused("This Checkout Session is no longer open.")
    customer = account.get("customer", session["customer"])
    method = new_card(account, number, month, year)
    attach(account, method, customer["id"])
    if session["mode"] == "subscription":
        _subscribe(account, session, customer, method)
    else:
        _pay_once(account, session, customer, method)
    details = {"email": customer.get("email"), "name": customer.get("name"), "tax_exempt": "none"}
    account.change(session, status="complete", payment_status="paid", url=None, customer_details=details)
    account.emit("checkout.session.completed", session)
    return session


def _subscribe(account: Account, session: Obj, customer: Obj, method: Obj) -> None:
    params = session["_params"]
    subscription = subscriptions.create(
        account,
        {
            "customer": customer["id"],
            "items": [{"price": session["_items"][0]["price"]["id"]}],
            "metadata": params.get("subscription_data", {}).get("metadata", {}),
        },
        method=method,
        collecting=False,
    )
    invoice = account.get("invoice", subscription["latest_invoice"])
    if not invoices.collect(account, invoice, method):
        raise declined(invoices.why_declined(account, invoice), kept=False)
    account.change(subscription, "customer.subscription.updated", status="active")
    session |= {"subscription": subscription["id"], "invoice": invoice["id"]}


def _pay_once(account: Account, session: Obj, customer: Obj, method: Obj) -> None:
    params = session["_params"]
    metadata = params.get("payment_intent_data", {}).get("metadata", {})
    item = session["_items"][0]
    wanted = params.get("invoice_creation", {})
    if wanted.get("enabled"):
        now = account.now(customer["id"])
        line = invoices.line(item["price"], item["amount_total"], item["description"], now, now,
                             quantity=item["quantity"])  # fmt: skip
        facts = {**metadata, **wanted.get("invoice_data", {}).get("metadata", {})}
        values = invoices.draft(account, customer | {"balance": 0}, [line], "manual", metadata=facts)
        balance = customer["balance"]
        invoice = invoices.finalise(account, customer | {"balance": 0}, values)
        account.change(customer, balance=balance)
        if not invoices.collect(account, invoice, method):
            raise declined(invoices.why_declined(account, invoice), kept=False)
        session |= {
            "invoice": invoice["id"],
            "payment_intent": invoice["payments"]["data"][0]["payment"]["payment_intent"],
        }
        return
    intent, charge = pay(
        account, customer["id"], method, item["amount_total"], item["currency"], {"metadata": metadata}
    )
    if charge is None:
        raise declined(intent["last_payment_error"]["decline_code"], kept=False)
    session["payment_intent"] = intent["id"]
