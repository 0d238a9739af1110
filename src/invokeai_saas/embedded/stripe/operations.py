"""Which calls of Stripe's API are served, with what each acts on. The server module speaks HTTP for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from stripe import params as stripe_params
from stripe.params import billing_portal, test_helpers
from stripe.params import checkout as checkout_params

from . import (
    checkout,
    clocks,
    customers,
    invoices,
    offers,
    payments,
    portal,
    schedules,
    subscriptions,
    webhooks,
)
from .account import Account
from .errors import Refused
from .shapes import Obj

Run = Callable[[Account, str, Obj], Obj]


class Operation(NamedTuple):
    """A call.

    Parameters:
        method: of HTTP.
        path: with {id} where an object's stands.
        shape: the library's typed dictionary of its parameters.
        served: what it acts on, dotted.
        run: is given the account, the id in the path and the parameters.
    """

    method: str
    path: str
    shape: Any
    served: frozenset[str]
    run: Run

    def match(self, method: str, path: str) -> str | None:
        """The id in the path of a request that means this call; None for another's."""
        pattern = re.escape(self.path).replace(r"\{id\}", "([A-Za-z0-9_]+)")
        found = re.fullmatch(pattern, path)
        if method != self.method or found is None:
            return None
        return found[1] if found.groups() else ""


def _listed(kind: str, *filters: str) -> Run:
    """A page of a list: https://docs.stripe.com/api/pagination. Newest first."""

    def run(account: Account, _: str, params: Obj) -> Obj:
        found = [one for one in account.store.all(kind) if _fits(one, params, filters)]
        return page(found, params, f"/v1/{kind}s")

    return run


def _fits(one: Obj, params: Obj, filters: tuple[str, ...]) -> bool:
    if kind_status := params.get("status"):
        if kind_status == "all":
            params = {name: value for name, value in params.items() if name != "status"}
    elif one["object"] == "subscription" and one["status"] in subscriptions.ENDED:
        return False
    for name in filters:
        if name in params and _member(one, name) != params[name]:
            return False
    if "lookup_keys" in params and one.get("lookup_key") not in params["lookup_keys"]:
        return False
    if "types" in params and one["type"] not in params["types"]:
        return False
    if wanted := params.get("payment"):
        return bool(one["payment"].get("payment_intent") == wanted.get("payment_intent"))
    since = params.get("created")
    return not isinstance(since, dict) or (
        since.get("gte", 0) <= one["created"] <= since.get("lte", one["created"])
    )


def _member(one: Obj, name: str) -> Any:
    if name == "subscription" and one["object"] == "invoice":
        parent = one.get("parent")
        return parent["subscription_details"]["subscription"] if parent else None
    return one.get(name)


def page(found: list[Obj], params: Obj, url: str) -> Obj:
    """The part of a list that was asked for.

    Raises:
        Refused: a limit out of range, or a cursor that is nowhere in the list.
    """
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise Refused("Invalid limit: must be between 1 and 100", param="limit")
    names = [one["id"] for one in found]
    for cursor in ("starting_after", "ending_before"):
        if cursor in params and params[cursor] not in names:
            raise Refused(f"No such object: '{params[cursor]}'", code="resource_missing", param=cursor)
    if "ending_before" in params:
        before = found[: names.index(params["ending_before"])]
        return {"object": "list", "data": before[-limit:], "has_more": len(before) > limit, "url": url}
    start = names.index(params["starting_after"]) + 1 if "starting_after" in params else 0
    return {
        "object": "list", "data": found[start : start + limit], "has_more": len(found) > start + limit, "url": url,
    }  # fmt: skip


def _one(kind: str) -> Run:
    return lambda account, name, _: account.get(kind, name)


def _attach(account: Account, name: str, params: Obj) -> Obj:
    customer = account.get("customer", params.get("customer", ""), "customer")
    return payments.attach(account, payments.usable(account, name), customer["id"])


def _detach(account: Account, name: str, _: Obj) -> Obj:
    method = account.get("payment_method", name)
    return account.change(method, "payment_method.detached", customer=None)


def _cancel(account: Account, name: str, _: Obj) -> Obj:
    return subscriptions.cancel(account, account.get("subscription", name))


def _lines(account: Account, name: str, params: Obj) -> Obj:
    return page(account.get("invoice", name)["lines"]["data"], params, f"/v1/invoices/{name}/lines")


def _pay(account: Account, name: str, params: Obj) -> Obj:
    invoice = account.get("invoice", name)
    if invoice["status"] != "open":
        raise Refused("Invoice is already paid" if invoice["status"] == "paid" else "Invoice is not open")
    method = payments.usable(account, params["payment_method"]) if "payment_method" in params else None
    invoices.pay_now(account, invoice, method)
    subscriptions.paid_late(account, invoice)
    return invoice


def _preview(account: Account, _: str, params: Obj) -> Obj:
    """What a change of a subscription would cost. Nothing is kept."""
    subscription = account.get("subscription", params.get("subscription", ""), "subscription")
    customer = account.get("customer", subscription["customer"])
    details = params.get("subscription_details", {})
    item = details.get("items", [{}])[0]
    price = subscriptions.recurring_price(account, item.get("price"))
    moment = details.get("proration_date", account.now(customer["id"]))
    changed, lines = subscriptions.switched(subscription, price, moment)
    values = invoices.draft(account, customer, lines, "upcoming", subscription=changed)
    return {
        "id": "upcoming_in_local",
        "ending_balance": min(0, values["total"] + customer["balance"]),
        **values,
    }


def _items(account: Account, name: str, params: Obj) -> Obj:
    session = account.get("checkout.session", name)
    return page(session["_items"], params, f"/v1/checkout/sessions/{name}/line_items")


def _new_endpoint(account: Account, _: str, params: Obj) -> Obj:
    return webhooks.new_endpoint(account, params["url"], params["enabled_events"])


def _delete_endpoint(account: Account, name: str, _: Obj) -> Obj:
    account.get("webhook_endpoint", name)
    account.store.remove(name)
    return {"id": name, "object": "webhook_endpoint", "deleted": True}


def _new_clock(account: Account, _: str, params: Obj) -> Obj:
    return account.new(
        "test_helpers.test_clock",
        {
            "deletes_after": int(account.clock()) + 30 * 86400, "frozen_time": params["frozen_time"],
            "name": params.get("name"), "status": "ready", "status_details": {},
        },
    )  # fmt: skip


def _advance(account: Account, name: str, params: Obj) -> Obj:
    clock = account.get("test_helpers.test_clock", name)
    return clocks.advance(account, clock, params["frozen_time"])


def _delete_clock(account: Account, name: str, _: Obj) -> Obj:
    account.get("test_helpers.test_clock", name)
    for customer in account.store.all("customer"):
        if customer.get("test_clock") == name:
            customers.delete(account, customer["id"], {})
    account.store.remove(name)
    return {"id": name, "object": "test_helpers.test_clock", "deleted": True}


_PAGED = "limit starting_after ending_before expand "
P: Any = stripe_params
_ROWS: list[tuple[str, str, Any, str, Run]] = [
    ("POST", "/v1/customers", P.CustomerCreateParams, "name email description metadata payment_method"
     " preferred_locales test_clock", customers.create),
    ("GET", "/v1/customers", P.CustomerListParams, _PAGED + "email", _listed("customer", "email")),
    ("GET", "/v1/customers/{id}", P.CustomerRetrieveParams, "", customers.retrieve),
    ("POST", "/v1/customers/{id}", P.CustomerUpdateParams, "name email description metadata preferred_locales"
     " invoice_settings.default_payment_method", customers.update),
    ("DELETE", "/v1/customers/{id}", P.CustomerDeleteParams, "", customers.delete),
    ("POST", "/v1/products", P.ProductCreateParams, "name description active metadata", offers.create_product),
    ("GET", "/v1/products", P.ProductListParams, _PAGED + "active", _listed("product", "active")),
    ("GET", "/v1/products/{id}", P.ProductRetrieveParams, "", _one("product")),
    ("POST", "/v1/products/{id}", P.ProductUpdateParams, "name description active metadata", offers.update_product),
    ("POST", "/v1/prices", P.PriceCreateParams, "product currency unit_amount recurring.interval active"
     " recurring.interval_count lookup_key transfer_lookup_key nickname metadata", offers.create_price),
    ("GET", "/v1/prices", P.PriceListParams, _PAGED + "lookup_keys product active type",
     _listed("price", "product", "active", "type")),
    ("GET", "/v1/prices/{id}", P.PriceRetrieveParams, "", _one("price")),
    ("POST", "/v1/prices/{id}", P.PriceUpdateParams, "active nickname metadata lookup_key transfer_lookup_key",
     offers.update_price),
    ("GET", "/v1/payment_methods", P.PaymentMethodListParams, _PAGED + "customer type",
     _listed("payment_method", "customer", "type")),
    ("GET", "/v1/payment_methods/{id}", P.PaymentMethodRetrieveParams, "", _one("payment_method")),
    ("POST", "/v1/payment_methods/{id}/attach", P.PaymentMethodAttachParams, "customer", _attach),
    ("POST", "/v1/payment_methods/{id}/detach", P.PaymentMethodDetachParams, "", _detach),
    ("POST", "/v1/checkout/sessions", checkout_params.SessionCreateParams, "mode customer success_url cancel_url"
     " line_items.price line_items.quantity metadata client_reference_id subscription_data.metadata expires_at"
     " payment_intent_data.metadata invoice_creation.enabled invoice_creation.invoice_data.metadata",
     lambda account, _, params: checkout.create(account, params)),
    ("GET", "/v1/checkout/sessions", checkout_params.SessionListParams, _PAGED + "customer payment_intent status"
     " subscription", _listed("checkout.session", "customer", "payment_intent", "status", "subscription")),
    ("GET", "/v1/checkout/sessions/{id}", checkout_params.SessionRetrieveParams, "", _one("checkout.session")),
    ("GET", "/v1/checkout/sessions/{id}/line_items", checkout_params.SessionListLineItemsParams, _PAGED, _items),
    ("POST", "/v1/checkout/sessions/{id}/expire", checkout_params.SessionExpireParams, "",
     lambda account, name, _: checkout.expire(account, account.get("checkout.session", name))),
    ("POST", "/v1/billing_portal/sessions", billing_portal.SessionCreateParams, "customer return_url",
     lambda account, _, params: portal.create(account, params)),
    ("POST", "/v1/subscriptions", P.SubscriptionCreateParams, "customer items.price items.quantity metadata"
     " default_payment_method payment_behavior", lambda account, _, params: subscriptions.create(account, params)),
    ("GET", "/v1/subscriptions", P.SubscriptionListParams, _PAGED + "customer status",
     _listed("subscription", "customer", "status")),
    ("GET", "/v1/subscriptions/{id}", P.SubscriptionRetrieveParams, "", _one("subscription")),
    ("POST", "/v1/subscriptions/{id}", P.SubscriptionUpdateParams, "items.id items.price items.quantity metadata"
     " cancel_at_period_end default_payment_method payment_behavior proration_behavior proration_date",
     lambda account, name, params: subscriptions.update(account, account.get("subscription", name), params)),
    ("DELETE", "/v1/subscriptions/{id}", P.SubscriptionCancelParams, "", _cancel),
    ("POST", "/v1/subscription_schedules", P.SubscriptionScheduleCreateParams, "from_subscription",
     lambda account, _, params: schedules.create(account, params)),
    ("GET", "/v1/subscription_schedules", P.SubscriptionScheduleListParams, _PAGED + "customer",
     _listed("subscription_schedule", "customer")),
    ("GET", "/v1/subscription_schedules/{id}", P.SubscriptionScheduleRetrieveParams, "",
     _one("subscription_schedule")),
    ("POST", "/v1/subscription_schedules/{id}", P.SubscriptionScheduleUpdateParams, "end_behavior phases.items.price"
     " phases.start_date phases.end_date phases.duration phases.proration_behavior",
     lambda account, name, params: schedules.update(account, account.get("subscription_schedule", name), params)),
    ("POST", "/v1/subscription_schedules/{id}/release", P.SubscriptionScheduleReleaseParams, "",
     lambda account, name, _: schedules.release(account, account.get("subscription_schedule", name))),
    ("POST", "/v1/invoices/create_preview", P.InvoiceCreatePreviewParams, "customer subscription"
     " subscription_details.items.id subscription_details.items.price subscription_details.proration_date"
     " subscription_details.proration_behavior", _preview),
    ("GET", "/v1/invoices", P.InvoiceListParams, _PAGED + "customer status subscription",
     _listed("invoice", "customer", "status", "subscription")),
    ("GET", "/v1/invoices/{id}", P.InvoiceRetrieveParams, "", _one("invoice")),
    ("GET", "/v1/invoices/{id}/lines", P.InvoiceLineItemListParams, _PAGED, _lines),
    ("POST", "/v1/invoices/{id}/pay", P.InvoicePayParams, "payment_method", _pay),
    ("GET", "/v1/invoice_payments", P.InvoicePaymentListParams, _PAGED + "invoice payment status",
     _listed("invoice_payment", "invoice", "status")),
    ("GET", "/v1/payment_intents", P.PaymentIntentListParams, _PAGED + "customer",
     _listed("payment_intent", "customer")),
    ("GET", "/v1/payment_intents/{id}", P.PaymentIntentRetrieveParams, "", _one("payment_intent")),
    ("GET", "/v1/charges", P.ChargeListParams, _PAGED + "customer payment_intent",
     _listed("charge", "customer", "payment_intent")),
    ("GET", "/v1/charges/{id}", P.ChargeRetrieveParams, "", _one("charge")),
    ("POST", "/v1/refunds", P.RefundCreateParams, "charge payment_intent amount reason metadata",
     lambda account, _, params: payments.refund(account, params)),
    ("GET", "/v1/refunds", P.RefundListParams, _PAGED + "charge payment_intent",
     _listed("refund", "charge", "payment_intent")),
    ("GET", "/v1/refunds/{id}", P.RefundRetrieveParams, "", _one("refund")),
    ("GET", "/v1/disputes", P.DisputeListParams, _PAGED + "charge payment_intent",
     _listed("dispute", "charge", "payment_intent")),
    ("GET", "/v1/disputes/{id}", P.DisputeRetrieveParams, "", _one("dispute")),
    ("POST", "/v1/disputes/{id}", P.DisputeUpdateParams, "evidence.uncategorized_text",
     lambda account, name, params: payments.answer_dispute(account, account.get("dispute", name), params)),
    ("POST", "/v1/disputes/{id}/close", P.DisputeCloseParams, "",
     lambda account, name, _: payments.close_dispute(account, account.get("dispute", name))),
    ("GET", "/v1/events", P.EventListParams, _PAGED + "created type types", _listed("event", "type")),
    ("GET", "/v1/events/{id}", P.EventRetrieveParams, "", _one("event")),
    ("POST", "/v1/webhook_endpoints", P.WebhookEndpointCreateParams, "url enabled_events", _new_endpoint),
    ("GET", "/v1/webhook_endpoints", P.WebhookEndpointListParams, _PAGED, _listed("webhook_endpoint")),
    ("DELETE", "/v1/webhook_endpoints/{id}", P.WebhookEndpointDeleteParams, "", _delete_endpoint),
    ("POST", "/v1/test_helpers/test_clocks", test_helpers.TestClockCreateParams, "frozen_time name", _new_clock),
    ("GET", "/v1/test_helpers/test_clocks", test_helpers.TestClockListParams, _PAGED,
     _listed("test_helpers.test_clock")),
    ("GET", "/v1/test_helpers/test_clocks/{id}", test_helpers.TestClockRetrieveParams, "",
     _one("test_helpers.test_clock")),
    ("POST", "/v1/test_helpers/test_clocks/{id}/advance", test_helpers.TestClockAdvanceParams, "frozen_time",
     _advance),
    ("DELETE", "/v1/test_helpers/test_clocks/{id}", test_helpers.TestClockDeleteParams, "", _delete_clock),
]  # fmt: skip
OPERATIONS = [
    Operation(method, path, shape, frozenset(f"{served} expand".split()), run)
    for method, path, shape, served, run in _ROWS
]
