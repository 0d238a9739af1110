"""The wire: forms, parameters, errors, idempotency, lists, expansion, keys and versions."""

from __future__ import annotations

import httpx
import pytest
import stripe
from stripe import StripeClient

from invokeai_saas.embedded.stripe.forms import decode
from invokeai_saas.embedded.stripe.operations import OPERATIONS
from invokeai_saas.embedded.stripe.parameters import accept
from invokeai_saas.embedded.stripe.shapes import parameters
from tests.embedded.stripe.shop import open_shop
from tests.stripe_server import KEY, LocalStripe


def _raw(local: LocalStripe, path: str, body: str, **headers: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {KEY}", **headers}
    with httpx.Client(timeout=120) as client:
        return client.post(f"{local.url}{path}", content=body, headers=headers)


def test_forms_nest() -> None:
    assert decode("a[b][0][c]=1&a[b][0][d]=2&e[]=x&e[]=y&f=%26") == {
        "a": {"b": {"0": {"c": "1", "d": "2"}}},
        "e": {"0": "x", "1": "y"},
        "f": "&",
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o.method} {o.path}")
def test_what_is_served_is_a_parameter_of_stripes(operation: object) -> None:
    """Each dotted name leads to something in the library's typed dictionaries."""
    from typing import get_args, get_origin

    from typing_extensions import is_typeddict

    from invokeai_saas.embedded.stripe.shapes import members

    shape, served = operation.shape, operation.served  # type: ignore[attr-defined]
    for path in served - {"expand"}:
        place = shape
        for name in path.split("."):
            known, _ = parameters(place)
            assert name in known, f"{path} of {shape.__name__}"
            inner = [
                a for p in members(known[name]) for a in (p, *get_args(p)) if get_origin(p) in (list, None)
            ]
            place = next((p for p in inner if is_typeddict(p)), None)


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        ("/v1/customers", "nmae=Ada", "parameter_unknown", "nmae"),
        ("/v1/subscriptions", "items[0][prise]=x", "parameter_unknown", "items[0][prise]"),
        ("/v1/products", "active=true", "parameter_missing", "name"),
        ("/v1/test_helpers/test_clocks", "frozen_time=noon", "parameter_invalid_integer", "frozen_time"),
        ("/v1/checkout/sessions", "mode=barter", None, "mode"),
        ("/v1/customers", "name[first]=Ada", None, "name"),
        ("/v1/customers", "phone=123", None, "phone"),  # Stripe's, and not acted upon here
        ("/v1/customers", "[]=1", None, "[]"),
        ("/v1/customers/cus_nobody", "name=x", "resource_missing", "id"),
    ],
)
def test_what_is_wrong_is_refused_in_stripes_form(
    local: LocalStripe, path: str, body: str, code: str | None, param: str
) -> None:
    answer = _raw(local, path, body)
    assert answer.status_code in (400, 404)
    error = answer.json()["error"]
    assert (error["type"], error.get("code"), error["param"]) == ("invalid_request_error", code, param)
    assert answer.headers["request-id"].startswith("req_")


def test_the_library_raises_its_own_errors(local: LocalStripe) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        local.client.v1.customers.retrieve("cus_nobody")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    stranger = StripeClient(
        "sk_test_other", base_addresses={"api": local.url}, http_client=local.client._requestor._client
    )
    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.customers.list()


def test_of_a_deleted_customer_it_is_known_that_it_was_deleted(local: LocalStripe) -> None:
    """What proofs of deletion rest on. Typed as the library has it: a Customer with `deleted`."""
    shop = open_shop(local)
    made = shop.customer()
    customer = made.id
    subscription = shop.subscribe(made)
    customers = local.client.v1.customers
    deleted = customers.delete(customer)
    assert deleted.deleted
    assert deleted.last_response and deleted.last_response.request_id.startswith("req_")  # type: ignore[union-attr]
    found = customers.retrieve(customer)
    assert isinstance(found, stripe.Customer)
    assert found.to_dict() == {"id": customer, "object": "customer", "deleted": True}
    assert local.client.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    assert customers.list().data == []
    for refused in (
        lambda: customers.delete(customer),
        lambda: customers.update(customer, {"name": "x"}),
        lambda: local.client.v1.billing_portal.sessions.create({"customer": customer}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            refused()
        assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_another_version_is_refused(local: LocalStripe) -> None:
    answer = _raw(local, "/v1/customers", "", **{"stripe-version": "2019-01-01"})
    assert answer.status_code == 400
    assert (
        _raw(local, "/v1/customers", "").headers["stripe-version"]
        == local.client._requestor._options.stripe_version
    )


def test_a_key_does_a_thing_once(local: LocalStripe) -> None:
    first = local.client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k"})
    again = local.client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k"})
    assert again.id == first.id
    assert again.last_response and again.last_response.headers["idempotent-replayed"] == "true"
    assert len(local.client.v1.customers.list().data) == 1
    with pytest.raises(stripe.IdempotencyError):
        local.client.v1.customers.create({"name": "Bob"}, {"idempotency_key": "k"})


def test_a_declined_card_is_replayed_as_declined(local: LocalStripe) -> None:
    shop = open_shop(local)
    customer = shop.customer(card="pm_card_chargeCustomerFail")
    subscription = shop.subscribe(customer)
    invoice = str(subscription.latest_invoice)
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            local.client.v1.invoices.pay(invoice, {}, {"idempotency_key": "pay"})
        assert (declined.value.code, declined.value.http_status) == ("card_declined", 402)
    assert local.client.v1.invoices.retrieve(invoice).attempt_count == 2  # one at the start, one for the key


def test_lists_are_paged(local: LocalStripe) -> None:
    made = [local.client.v1.customers.create({"name": str(n)}).id for n in range(5)]
    page = local.client.v1.customers.list({"limit": 2})
    assert ([c.id for c in page.data], page.has_more) == (made[:2:-1], True)
    assert [c.id for c in page.auto_paging_iter()] == made[::-1]
    back = local.client.v1.customers.list({"limit": 2, "ending_before": made[0]})
    assert ([c.id for c in back.data], back.has_more) == ([made[2], made[1]], True)
    with pytest.raises(stripe.InvalidRequestError):
        local.client.v1.customers.list({"limit": 101})


def test_what_is_named_can_be_expanded(local: LocalStripe) -> None:
    shop = open_shop(local)
    subscription = shop.subscribe(shop.customer())
    whole = local.client.v1.subscriptions.retrieve(
        subscription.id, {"expand": ["customer", "latest_invoice.payments"]}
    )
    assert whole.customer.email == "ada@example.com"  # type: ignore[union-attr]
    payments = whole.latest_invoice.payments  # type: ignore[union-attr]
    assert payments.data[0].amount_paid == 2500  # type: ignore[union-attr]
    for too_much in ("status", "latest_invoice.payments.data.payment.payment_intent"):
        with pytest.raises(stripe.InvalidRequestError):
            local.client.v1.subscriptions.retrieve(subscription.id, {"expand": [too_much]})
    listed = local.client.v1.subscriptions.list({"expand": ["data.customer"]})
    assert listed.data[0].customer.email == "ada@example.com"  # type: ignore[union-attr]


def test_parameters_have_their_types() -> None:
    from stripe.params import SubscriptionUpdateParams

    given = decode(
        "items[0][id]=si_1&items[0][price]=p&cancel_at_period_end=false&metadata[a]=1&proration_date=5"
    )
    served = frozenset({"items", "cancel_at_period_end", "metadata", "proration_date"})
    assert accept(SubscriptionUpdateParams, given, served) == {
        "items": [{"id": "si_1", "price": "p"}],
        "cancel_at_period_end": False,
        "metadata": {"a": "1"},
        "proration_date": 5,
    }
