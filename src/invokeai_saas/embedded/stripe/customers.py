"""Customers: https://docs.stripe.com/api/customers."""

from __future__ import annotations

from . import payments, subscriptions
from .account import Account
from .shapes import Obj

_DELETED = "deleted_customer"  # a kind of our own, which no list has


def create(account: Account, _: str, params: Obj) -> Obj:
    """A new customer, with the card that is given."""
    if "test_clock" in params:
        account.get("test_helpers.test_clock", params["test_clock"], "test_clock")
    number = len(account.store.all("customer")) + 1
    made = account.new(
        "customer",
        {
            "balance": 0, "currency": None, "default_source": None, "delinquent": False,
            "description": params.get("description"), "email": params.get("email"),
            "invoice_prefix": f"LOCAL{number:03d}", "invoice_settings": {"default_payment_method": None},
            "metadata": params.get("metadata", {}), "name": params.get("name"), "phone": None, "shipping": None,
            "preferred_locales": params.get("preferred_locales", []), "tax_exempt": "none",
            "test_clock": params.get("test_clock"),
        },
    )  # fmt: skip
    if "payment_method" in params:
        _use_card(account, made, params["payment_method"])
    account.emit("customer.created", made)
    return made


def _use_card(account: Account, customer: Obj, name: str) -> None:
    method = payments.attach(account, payments.usable(account, name), customer["id"])
    customer["invoice_settings"] = {"default_payment_method": method["id"]}
    account.store.put(customer)


def update(account: Account, name: str, params: Obj) -> Obj:
    """Changes what is given."""
    customer = account.get("customer", name)
    changes: Obj = {
        key: params[key] for key in ("email", "name", "description", "preferred_locales") if key in params
    }
    if "metadata" in params:
        changes["metadata"] = subscriptions.merged(customer["metadata"], params["metadata"])
    if chosen := params.get("invoice_settings", {}).get("default_payment_method"):
        _use_card(account, customer, chosen)
    return account.change(customer, "customer.updated", **changes)


def delete(account: Account, name: str, _: Obj) -> Obj:
    """Ends their subscriptions, and leaves that there was one."""
    customer = account.get("customer", name)
    for subscription in account.store.all("subscription"):
        if subscription["customer"] == name and subscription["status"] not in subscriptions.ENDED:
            subscriptions.cancel(account, subscription)
    account.emit("customer.deleted", customer)
    account.store.remove(name)
    account.store.put({"id": name, "object": _DELETED})  # what is left: that there was one
    return _deleted(name)


def _deleted(name: str) -> Obj:
    return {"id": name, "object": "customer", "deleted": True}


def retrieve(account: Account, name: str, _: Obj) -> Obj:
    """One that was deleted is answered as such: https://docs.stripe.com/api/customers/retrieve."""
    found = account.store.find(name)
    if found is not None and found["object"] == _DELETED:
        return _deleted(name)
    return account.get("customer", name)
