"""What subscriptions, invoices and cards do, on a test clock; and that each answer is of Stripe's types."""

from __future__ import annotations

import httpx
import pytest
import stripe
from stripe import Invoice

from tests.embedded.stripe.shape import problems_of
from tests.embedded.stripe.shop import DAY, NOON, Shop, open_shop
from tests.stripe_server import DECLINED, DISPUTED, FAILS_LATER, GOOD, LocalStripe


@pytest.fixture
def shop(local: LocalStripe) -> Shop:
    return open_shop(local)


def _latest(shop: Shop, subscription: stripe.Subscription) -> Invoice:
    found = shop.now(subscription).latest_invoice
    assert isinstance(found, Invoice)
    return found


def _item(subscription: stripe.Subscription) -> stripe.SubscriptionItem:
    found: stripe.SubscriptionItem = subscription["items"].data[0]
    return found


def _change(
    shop: Shop, subscription: stripe.Subscription, price: stripe.Price, **more: str
) -> stripe.Subscription:
    params = {"items": [{"id": _item(subscription).id, "price": price.id}], **more}
    return shop.local.client.v1.subscriptions.update(subscription.id, params)  # type: ignore[arg-type]


def test_a_subscription_begins_paid(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer())
    assert subscription.status == "active"
    invoice = _latest(shop, subscription)
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == (
        "paid",
        2500,
        "subscription_create",
    )
    assert invoice.parent is not None and invoice.parent.subscription_details is not None
    assert invoice.parent.subscription_details.subscription == subscription.id
    assert shop.kinds()[-7:] == [
        "customer.subscription.created", "payment_intent.created", "charge.succeeded", "payment_intent.succeeded",
        "invoice_payment.paid", "invoice.paid", "invoice.payment_succeeded", "customer.subscription.updated",
    ][-7:]  # fmt: skip


def test_without_a_card_it_waits_and_expires(shop: Shop) -> None:
    clock = shop.clock()
    subscription = shop.subscribe(shop.customer(card=None, clock=clock))
    assert subscription.status == "incomplete"
    shop.local.client.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": NOON + DAY})
    assert shop.now(subscription).status == "incomplete_expired"
    assert _latest(shop, subscription).status == "void"


def test_an_upgrade_pays_the_difference_of_what_is_left(shop: Shop) -> None:
    clock = shop.clock()
    subscription = shop.subscribe(shop.customer(clock=clock))
    half = (_item(subscription).current_period_end + NOON) // 2
    shop.local.client.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": half})
    preview = shop.local.client.v1.invoices.create_preview(
        {"subscription": subscription.id, "subscription_details": {
            "items": [{"id": _item(subscription).id, "price": shop.pro.id}]}}
    )  # fmt: skip
    assert preview.amount_due == 2500
    _change(shop, subscription, shop.pro, proration_behavior="always_invoice")
    invoice = _latest(shop, subscription)
    assert [line.amount for line in invoice.lines.data] == [-1250, 3750]
    assert (invoice.amount_paid, invoice.billing_reason) == (2500, "subscription_update")
    end = _item(subscription).current_period_end
    assert _item(shop.now(subscription)).current_period_end == end
    shop.local.client.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": end})
    assert _latest(shop, subscription).amount_paid == 7500


def test_an_upgrade_that_cannot_be_paid_changes_nothing(shop: Shop) -> None:
    customer = shop.customer()
    subscription = shop.subscribe(customer)
    shop.local.client.v1.customers.update(
        customer.id, {"invoice_settings": {"default_payment_method": "pm_card_chargeCustomerFail"}}
    )
    before = (shop.now(subscription).to_dict(), len(shop.kinds()))
    with pytest.raises(stripe.CardError):
        _change(
            shop,
            subscription,
            shop.pro,
            proration_behavior="always_invoice",
            payment_behavior="error_if_incomplete",
        )
    assert (shop.now(subscription).to_dict(), len(shop.kinds())) == before


def test_what_is_given_back_stays_to_the_customers_credit(shop: Shop) -> None:
    customer = shop.customer(clock=shop.clock())
    subscription = shop.subscribe(customer, shop.pro)
    _change(shop, subscription, shop.starter, proration_behavior="always_invoice")
    assert _latest(shop, subscription).total == -5000
    assert shop.local.client.v1.customers.retrieve(customer.id).balance == -5000
    _change(shop, subscription, shop.pro, proration_behavior="always_invoice")
    assert (_latest(shop, subscription).total, _latest(shop, subscription).amount_due) == (5000, 0)
    assert shop.local.client.v1.customers.retrieve(customer.id).balance == 0


def test_from_months_to_years_begins_a_new_period(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(clock=shop.clock()), shop.pro)
    yearly = _change(shop, subscription, shop.pro_yearly)
    item = _item(yearly)
    assert 364 * DAY < item.current_period_end - item.current_period_start < 367 * DAY
    assert [line.amount for line in _latest(shop, subscription).lines.data] == [-7500, 75000]


def test_a_schedule_changes_the_price_at_the_end_of_the_period(shop: Shop) -> None:
    clock, schedules = shop.clock(), shop.local.client.v1.subscription_schedules
    subscription = shop.subscribe(shop.customer(clock=clock), shop.pro)
    schedule = schedules.create({"from_subscription": subscription.id})
    item = _item(subscription)
    phases = [
        {
            "items": [{"price": shop.pro.id}],
            "start_date": item.current_period_start,
            "end_date": item.current_period_end,
        },
        {
            "items": [{"price": shop.starter.id}],
            "proration_behavior": "none",
            "duration": {"interval": "month"},
        },
    ]
    schedules.update(schedule.id, {"phases": phases, "end_behavior": "release"})  # type: ignore[arg-type]
    with pytest.raises(stripe.InvalidRequestError):
        shop.local.client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    shop.local.client.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": item.current_period_end})
    assert _item(shop.now(subscription)).price.id == shop.starter.id
    assert (_latest(shop, subscription).amount_paid, shop.now(subscription).schedule) == (2500, schedule.id)
    second = _item(shop.now(subscription)).current_period_end
    shop.local.client.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": second})
    assert (_item(shop.now(subscription)).price.id, shop.now(subscription).schedule) == (
        shop.starter.id,
        None,
    )
    assert schedules.retrieve(schedule.id).status == "completed"


def test_a_released_schedule_changes_nothing(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.pro)
    schedule = shop.local.client.v1.subscription_schedules.create({"from_subscription": subscription.id})
    shop.local.client.v1.subscription_schedules.release(schedule.id)
    assert shop.now(subscription).schedule is None
    shop.local.client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})


def test_cancelled_at_the_end_and_taken_back(shop: Shop) -> None:
    clock, subscriptions = shop.clock(), shop.local.client.v1.subscriptions
    subscription = shop.subscribe(shop.customer(clock=clock))
    end = _item(subscription).current_period_end
    assert subscriptions.update(subscription.id, {"cancel_at_period_end": True}).cancel_at == end
    assert subscriptions.update(subscription.id, {"cancel_at_period_end": False}).cancel_at is None
    subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    shop.local.client.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": end})
    assert (shop.now(subscription).status, shop.kinds()[-2]) == ("canceled", "customer.subscription.deleted")
    with pytest.raises(stripe.InvalidRequestError):
        subscriptions.update(subscription.id, {"cancel_at_period_end": False})


def test_a_renewal_that_fails_is_tried_again_and_then_given_up(shop: Shop) -> None:
    clock, client = shop.clock(), shop.local.client
    customer = shop.customer(clock=clock)
    subscription = shop.subscribe(customer)
    client.v1.customers.update(
        customer.id, {"invoice_settings": {"default_payment_method": "pm_card_chargeCustomerFail"}}
    )
    end = _item(subscription).current_period_end
    seen = []
    for days in (0, 3, 8):
        client.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": end + days * DAY})
        seen.append((shop.now(subscription).status, _latest(shop, subscription).attempt_count))
    assert seen == [("past_due", 1), ("past_due", 2), ("past_due", 3)]
    client.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": end + 15 * DAY})
    ended = shop.now(subscription)
    assert (ended.status, _latest(shop, subscription).next_payment_attempt) == ("canceled", None)
    assert ended.cancellation_details is not None
    assert ended.cancellation_details.reason == "payment_failed"


def test_a_better_card_saves_it(shop: Shop) -> None:
    clock, client = shop.clock(), shop.local.client
    customer = shop.customer(clock=clock)
    subscription = shop.subscribe(customer)
    client.v1.customers.update(
        customer.id, {"invoice_settings": {"default_payment_method": "pm_card_chargeCustomerFail"}}
    )
    client.v1.test_helpers.test_clocks.advance(
        clock.id, {"frozen_time": _item(subscription).current_period_end}
    )
    page = client.v1.billing_portal.sessions.create({"customer": customer.id}).url
    assert shop.local.fill_in(page, GOOD, act="card").status_code == 303
    assert (shop.now(subscription).status, _latest(shop, subscription).status) == ("active", "paid")


def _checkout(shop: Shop, price: stripe.Price, mode: str, **more: object) -> stripe.checkout.Session:
    params = {
        "mode": mode, "customer": shop.customer(card=None).id, "line_items": [{"price": price.id, "quantity": 1}],
        "success_url": "http://127.0.0.1/done?s={CHECKOUT_SESSION_ID}", "cancel_url": "http://127.0.0.1/back", **more,
    }  # fmt: skip
    return shop.local.client.v1.checkout.sessions.create(params)  # type: ignore[arg-type]


def test_checkout_begins_a_subscription(shop: Shop) -> None:
    session = _checkout(shop, shop.pro, "subscription", subscription_data={"metadata": {"a": "1"}})
    assert session.url
    assert shop.local.fill_in(session.url, DECLINED).status_code == 402
    assert shop.local.fill_in(session.url, "4242424242424241").status_code == 402
    assert shop.local.fill_in(session.url, GOOD, expiry="13/40").status_code == 402
    assert shop.local.fill_in(session.url, FAILS_LATER).status_code == 402
    assert shop.local.client.v1.subscriptions.list().data == []
    paid = shop.local.fill_in(session.url)
    assert (paid.status_code, paid.headers["location"]) == (303, f"http://127.0.0.1/done?s={session.id}")
    done = shop.local.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})
    assert (done.status, done.payment_status) == ("complete", "paid")
    assert done.subscription.metadata["a"] == "1"  # type: ignore[union-attr]
    assert shop.local.fill_in(session.url).status_code == 410


def test_checkout_sells_once(shop: Shop) -> None:
    session = _checkout(
        shop,
        shop.pack,
        "payment",
        invoice_creation={"enabled": True},
        payment_intent_data={"metadata": {"p": "1"}},
    )
    assert session.url
    shop.local.fill_in(session.url)
    done = shop.local.client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent", "invoice"]}
    )
    intent, invoice = done.payment_intent, done.invoice
    assert isinstance(intent, stripe.PaymentIntent) and isinstance(invoice, Invoice)
    assert (intent.amount_received, intent.metadata["p"], invoice.amount_paid) == (500, "1", 500)
    items = shop.local.client.v1.checkout.sessions.line_items.list(session.id).data
    assert [(item.description, item.amount_total) for item in items] == [("Pack of 1,000", 500)]


def test_an_expired_session_cannot_be_paid(shop: Shop) -> None:
    session = _checkout(shop, shop.pack, "payment")
    assert session.url
    shop.local.client.v1.checkout.sessions.expire(session.id)
    assert shop.local.fill_in(session.url).status_code == 410
    with pytest.raises(stripe.InvalidRequestError):
        shop.local.client.v1.checkout.sessions.expire(session.id)


def test_refunds_in_parts_and_no_more_than_was_paid(shop: Shop) -> None:
    client = shop.local.client
    subscription = shop.subscribe(shop.customer())
    charge = client.v1.charges.list().data[0]
    client.v1.refunds.create({"charge": charge.id, "amount": 1000})
    client.v1.refunds.create({"payment_intent": str(charge.payment_intent)})
    for amount in (1, 5000):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.refunds.create({"charge": charge.id, "amount": amount})
    now = client.v1.charges.retrieve(charge.id)
    assert (now.amount_refunded, now.refunded, shop.kinds().count("charge.refunded")) == (2500, True, 2)
    assert shop.now(subscription).status == "active"


def test_a_bank_takes_money_back(shop: Shop) -> None:
    session = _checkout(shop, shop.pack, "payment")
    assert session.url
    shop.local.fill_in(session.url, DISPUTED)
    dispute = shop.local.client.v1.disputes.list().data[0]
    assert (dispute.amount, dispute.status) == (500, "needs_response")
    assert shop.local.client.v1.charges.retrieve(str(dispute.charge)).disputed
    assert shop.local.client.v1.disputes.close(dispute.id).status == "lost"


@pytest.mark.parametrize(
    ("word", "status"),
    [("winning_evidence", "won"), ("losing_evidence", "lost"), ("it was sent", "under_review")],
)
def test_evidence_decides_a_dispute(shop: Shop, word: str, status: str) -> None:
    session = _checkout(shop, shop.pack, "payment")
    assert session.url
    shop.local.fill_in(session.url, DISPUTED)
    disputes = shop.local.client.v1.disputes
    answered = disputes.update(disputes.list().data[0].id, {"evidence": {"uncategorized_text": word}})
    assert (answered.status, answered.evidence.uncategorized_text) == (status, word)
    told = set(shop.kinds())
    assert ("charge.dispute.closed" in told) == (status != "under_review")
    assert ("charge.dispute.funds_reinstated" in told) == (status == "won")


def test_lookup_keys_name_one_price(shop: Shop) -> None:
    prices = shop.local.client.v1.prices
    prices.update(shop.pro.id, {"lookup_key": "pro"})
    with pytest.raises(stripe.InvalidRequestError):
        prices.update(shop.starter.id, {"lookup_key": "pro"})
    prices.update(shop.starter.id, {"lookup_key": "pro", "transfer_lookup_key": True})
    assert [price.id for price in prices.list({"lookup_keys": ["pro"]}).data] == [shop.starter.id]


def test_the_31st_renews_at_the_end_of_shorter_months() -> None:
    from datetime import UTC, datetime

    from invokeai_saas.embedded.stripe.periods import after, following

    anchor = int(datetime(2026, 1, 31, 10, tzinfo=UTC).timestamp())
    days = [datetime.fromtimestamp(after(anchor, "month", n), UTC).day for n in (1, 2, 3)]
    assert days == [28, 31, 30]
    assert following(anchor, "month", 1, after(anchor, "month", 1)) == after(anchor, "month", 2)


def test_every_answer_is_of_stripes_types(shop: Shop) -> None:
    """All kinds of objects, after a life with everything in it."""
    clock, client = shop.clock(), shop.local.client
    customer = shop.customer(clock=clock)
    subscription = shop.subscribe(customer)
    client.v1.subscription_schedules.create({"from_subscription": subscription.id})
    client.v1.test_helpers.test_clocks.advance(
        clock.id, {"frozen_time": _item(subscription).current_period_end}
    )
    client.v1.billing_portal.sessions.create({"customer": customer.id})
    client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["customer.created"]})
    client.v1.refunds.create({"charge": client.v1.charges.list().data[0].id, "amount": 1})
    session = _checkout(shop, shop.pack, "payment")
    assert session.url
    shop.local.fill_in(session.url, DISPUTED)
    seen = set()
    from invokeai_saas.embedded.stripe.account import PREFIXES
    from invokeai_saas.embedded.stripe.shapes import complete

    with shop.local.account.store.transaction():
        for kind in PREFIXES:
            for thing in shop.local.account.store.all(kind):
                seen.add(kind)
                assert problems_of(complete(thing)) == []
                if kind == "event":
                    assert problems_of(thing["data"]["object"]) == []
        kept = shop.local.account.get("checkout.session", session.id)
        assert problems_of(complete(kept["_items"][0])) == []
    assert seen == set(PREFIXES) - {"line_item", "item"}  # lines are looked at within their invoices


def test_the_check_of_types_finds_what_is_wrong() -> None:
    from invokeai_saas.embedded.stripe.shapes import complete

    product = {
        "id": "p", "object": "product", "active": "yes", "created": 1, "images": [1], "livemode": False,
        "marketing_features": [], "metadata": {}, "name": "n", "type": "service", "colour": "red",
    }  # fmt: skip
    found = {problem.split(":")[0] for problem in problems_of(complete(product))}
    assert found == {"product.active", "product.images[0]", "product.updated", "product.colour"}


def test_the_portal_cancels_and_takes_back(shop: Shop) -> None:
    customer = shop.customer()
    subscription = shop.subscribe(customer)
    shop.local.client.v1.subscription_schedules.create({"from_subscription": subscription.id})
    page = shop.local.client.v1.billing_portal.sessions.create(
        {"customer": customer.id, "return_url": "http://127.0.0.1/account"}
    ).url
    with httpx.Client(timeout=120) as browser:
        for act, wanted in (("cancel", True), ("renew", False)):
            browser.post(page, data={"act": act, "subscription": subscription.id})
            assert shop.now(subscription).cancel_at_period_end is wanted
        shown = browser.get(page).text
    invoice = _latest(shop, subscription)
    for words in ("visa ending in 4242", str(invoice.number), "$25.00", "http://127.0.0.1/account"):
        assert words in shown
    assert shop.now(subscription).schedule is None  # it was released, so that cancelling could be said


def test_the_portal_is_one_customers_and_closes_after_an_hour(shop: Shop) -> None:
    mine, other = shop.customer(), shop.subscribe(shop.customer())
    page = shop.local.client.v1.billing_portal.sessions.create({"customer": mine.id}).url
    with httpx.Client(timeout=120) as browser:
        answer = browser.post(page, data={"act": "cancel", "subscription": other.id})
        assert (answer.status_code, shop.now(other).cancel_at_period_end) == (402, False)
        assert browser.get(page + "x").status_code == 404
        real = shop.local.account.clock
        shop.local.account.clock = lambda: real() + 3601
        assert browser.get(page).status_code == 410
        shop.local.account.clock = real


def test_an_invoice_has_a_page(shop: Shop) -> None:
    customer = shop.local.client.v1.customers.create(
        {"email": "<b>@example.com", "payment_method": "pm_card_visa"}
    )
    invoice = _latest(shop, shop.subscribe(customer))
    with httpx.Client(timeout=120) as browser:
        shown = browser.get(str(invoice.hosted_invoice_url)).text
    assert f"Invoice {invoice.number}" in shown
    assert "&lt;b&gt;@example.com" in shown
