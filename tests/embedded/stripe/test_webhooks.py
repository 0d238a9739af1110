"""Events that reach who listens: signed, again when they are not taken, and not beside what was rolled back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
import stripe

from invokeai_saas.embedded.stripe import webhooks
from tests.embedded.stripe.shop import open_shop
from tests.stripe_server import LocalStripe, local_stripe


class Listener:
    """Somebody who listens, answers as it is told, and keeps what it got."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, str]] = []
        self.answers: list[int] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                listener.got.append((body, self.headers["stripe-signature"]))
                self.send_response(listener.answers.pop(0) if listener.answers else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@contextmanager
def listening() -> Iterator[Listener]:
    listener = Listener()
    thread = Thread(target=listener.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield listener
    finally:
        listener.server.shutdown()
        thread.join()
        listener.server.server_close()


def _deliver_all(local: LocalStripe) -> None:
    with httpx.Client(timeout=120) as client:
        while webhooks.deliver_one(local.account, client):
            pass


def test_events_are_signed_as_the_library_wants_it(local: LocalStripe) -> None:
    with listening() as listener:
        endpoint = local.client.v1.webhook_endpoints.create(
            {"url": listener.url, "enabled_events": ["customer.created", "customer.updated"]}
        )
        customer = local.client.v1.customers.create({"name": "Ada"})
        local.client.v1.customers.update(customer.id, {"name": "Countess"})
        local.client.v1.products.create({"name": "nothing to do with it"})
        _deliver_all(local)
    events = [local.client.construct_event(body, sign, endpoint.secret) for body, sign in listener.got]
    assert [event.type for event in events] == ["customer.created", "customer.updated"]
    assert events[1].data.object["name"] == "Countess"
    assert events[1].data.to_dict()["previous_attributes"] == {"name": "Ada"}
    body, sign = listener.got[0]
    with pytest.raises(stripe.SignatureVerificationError):
        local.client.construct_event(body.replace(b"Ada", b"Eve"), sign, endpoint.secret)
    assert local.client.v1.events.list().data[0].pending_webhooks == 0
    assert local.client.v1.webhook_endpoints.list().data[0].secret is None


def test_what_is_not_taken_comes_again_and_is_given_up_at_last(local: LocalStripe) -> None:
    with listening() as listener:
        local.client.v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"]})
        listener.answers = [500, 400, 200]
        local.client.v1.customers.create({"name": "Ada"})
        times = [0.0]
        real = local.account.clock
        local.account.clock = lambda: real() + sum(times)
        for tries in (1, 2, 3, 3):
            _deliver_all(local)
            assert len(listener.got) == tries
            times.append(webhooks.RETRY_SECONDS[min(tries - 1, 2)] + 1)
        listener.answers = [500] * 20
        local.client.v1.customers.create({"name": "Bob"})
        for wait in webhooks.RETRY_SECONDS:
            _deliver_all(local)
            times.append(wait + 1)
        _deliver_all(local)
        assert len(listener.got) == 3 + len(webhooks.RETRY_SECONDS) + 1


def test_what_is_rolled_back_tells_nobody(local: LocalStripe) -> None:
    shop = open_shop(local)
    customer = shop.customer(card="pm_card_chargeCustomerFail")
    before = shop.kinds()
    with pytest.raises(stripe.CardError):
        local.client.v1.subscriptions.create(
            {
                "customer": customer.id,
                "items": [{"price": shop.pro.id}],
                "payment_behavior": "error_if_incomplete",
            }
        )
    assert shop.kinds() == before


def test_a_running_one_delivers_by_itself_and_remembers(tmp_path: Path) -> None:
    with listening() as listener:
        with local_stripe(tmp_path, deliver=True) as local:
            with local.account.store.transaction():
                webhooks.keep_endpoint(local.account, listener.url, "whsec_ours")
                webhooks.keep_endpoint(local.account, listener.url, "whsec_ours")
            made = local.client.v1.customers.create({"name": "Ada"})
            for _ in range(100):
                if listener.got:
                    break
                time.sleep(0.05)
        assert len(listener.got) == 1
        with local_stripe(tmp_path) as again:
            assert again.client.v1.customers.retrieve(made.id).name == "Ada"
