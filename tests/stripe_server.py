"""The local Stripe on a port of this machine, driven by the `stripe` library, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from stripe import HTTPClient, StripeClient
from stripe._http_client import HTTPXClient

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.embedded.stripe.account import Account
from invokeai_saas.embedded.stripe.server import StripeServer
from invokeai_saas.embedded.stripe.store import Store

KEY = "sk_test_of_the_suite"
SECRET = "whsec_of_the_suite"
GOOD, FAILS_LATER, DECLINED = "4242424242424242", "4000000000000341", "4000000000000002"
DISPUTED = "4000000000000259"


@dataclass
class LocalStripe:
    """A running one. `account` is its inside, for tests that look there."""

    url: str
    account: Account
    client: StripeClient

    def fill_in(self, page: str, number: str = GOOD, **more: str) -> httpx.Response:
        """Sends a page's card form as a browser would, without following where it leads."""
        form = {"number": number, "expiry": "12 / 40", "cvc": "123", **more}
        with httpx.Client(timeout=120) as browser:
            return browser.post(page, data=form)


def http_client() -> HTTPClient:
    """Of the library: httpx, for calls with and without await."""
    return HTTPXClient(allow_sync_methods=True)


@contextmanager
def local_stripe(folder: Path, *, deliver: bool = False) -> Iterator[LocalStripe]:
    """Serves from a thread until the test is over.

    Parameters:
        deliver: whether it sends its webhooks by itself.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    store = Store(folder / "stripe.sqlite")
    account = Account(store, url)
    app = StripeServer(account, KEY, deliver=deliver).app
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="on")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    addresses = {"api": url, "connect": url, "files": url, "meter_events": url}
    library = HTTPXClient(allow_sync_methods=True)
    client = StripeClient(KEY, base_addresses=addresses, http_client=library)  # type: ignore[arg-type]
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=120) as probe:
            probe.get(url)
        yield LocalStripe(url, account, client)
    finally:
        server.should_exit = True
        thread.join()
        library.close()  # type: ignore[no-untyped-call]
        store.close()
