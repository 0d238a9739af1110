"""What every part of the local Stripe stands on: new objects, time, and events about what changes."""

from __future__ import annotations

import copy
import secrets
import time
from collections.abc import Callable
from typing import Any

from stripe._api_version import _ApiVersion

from .errors import missing
from .shapes import Obj, class_of, complete, fields
from .store import Store

# How ids of each kind begin.
PREFIXES = {
    "customer": "cus", "product": "prod", "price": "price", "payment_method": "pm", "checkout.session": "cs_test",
    "billing_portal.session": "bps", "subscription": "sub", "subscription_item": "si",
    "subscription_schedule": "sub_sched", "invoice": "in", "line_item": "il", "invoice_payment": "inpay",
    "payment_intent": "pi", "charge": "ch", "refund": "re", "dispute": "du", "event": "evt",
    "webhook_endpoint": "we", "test_helpers.test_clock": "clock", "item": "li",
}  # fmt: skip


def new_id(kind: str) -> str:
    """An id as Stripe's look."""
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
    return f"{PREFIXES[kind]}_{''.join(secrets.choice(alphabet) for _ in range(24))}"


class Account:
    """One Stripe account.

    Parameters:
        store: where everything is kept.
        base_url: of the pages that customers see.
        clock: seconds since 1970.
    """

    def __init__(self, store: Store, base_url: str, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self.base_url = base_url.rstrip("/")
        self.clock = clock

    def now(self, customer: str | None = None) -> int:
        """The present: of a customer on a test clock, the clock's."""
        known = self.store.find(customer) if customer else None
        if known and known.get("test_clock"):
            frozen = self.store.find(known["test_clock"])
            if frozen is not None:
                return int(frozen["frozen_time"])
        return int(self.clock())

    def new(self, kind: str, values: Obj, *, customer: str | None = None) -> Obj:
        """Makes and keeps an object."""
        made = {"id": new_id(kind), "object": kind, "created": self.now(customer), **values}
        shape = class_of(kind)
        if shape is not None and "livemode" in fields(shape):
            made["livemode"] = False
        return self.store.put(made)

    def get(self, kind: str, name: Any, param: str = "id") -> Obj:
        """An object of a kind.

        Raises:
            Refused: there is none of that name.
        """
        found = self.store.find(str(name))
        if found is None or found["object"] != kind:
            raise missing(kind, str(name), param)
        return found

    def change(self, thing: Obj, kind: str | None = None, **changes: Any) -> Obj:
        """Changes an object, keeps it, and tells of it if anything is different.

        Parameters:
            kind: of the event; none is told without.
        """
        before = copy.deepcopy(thing)
        thing.update(changes)
        self.store.put(thing)
        if kind is not None and before != thing:
            self.emit(kind, thing, before)
        return thing

    def emit(self, kind: str, thing: Obj, before: Obj | None = None) -> Obj:
        """Makes an event of an object as it is now, and queues it for every endpoint that listens."""
        shown = complete(thing)
        data: Obj = {"object": shown}
        if before is not None:
            old = complete(before)
            data["previous_attributes"] = {
                name: value for name, value in old.items() if value != shown.get(name)
            }
        endpoints = [
            endpoint
            for endpoint in self.store.all("webhook_endpoint")
            if endpoint["status"] == "enabled" and {kind, "*"} & set(endpoint["enabled_events"])
        ]
        event = self.new(
            "event",
            {
                "type": kind,
                "data": data,
                "api_version": _ApiVersion.CURRENT,
                "pending_webhooks": len(endpoints),
                "request": {"id": None, "idempotency_key": None},
            },
        )
        for endpoint in endpoints:
            self.store.queue_delivery(event["id"], endpoint["id"], self.clock())
        return event
