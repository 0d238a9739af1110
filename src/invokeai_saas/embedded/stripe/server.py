"""The local Stripe's HTTP: the API under /v1, and the pages that customers are sent to."""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import anyio.to_thread
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from stripe._api_version import _ApiVersion

from . import checkout, clocks, pages, portal, webhooks
from .account import Account
from .errors import Refused
from .forms import decode
from .operations import OPERATIONS, Operation
from .parameters import accept
from .shapes import Obj, complete

_KEY_SECONDS = 86400  # an idempotency key is remembered so long
_DEEPEST = 4  # https://docs.stripe.com/api/expanding_objects
_EXPIRY = re.compile(r"\s*(\d{1,2})\s*/\s*(\d{2}|\d{4})\s*\Z")


class StripeServer:
    """The application.

    Parameters:
        account: what it serves.
        secret_key: whom it believes.
        deliver: whether it sends webhooks and renews by itself; tests may rather do so by hand.
    """

    def __init__(self, account: Account, secret_key: str, *, deliver: bool = True) -> None:
        self.account = account
        self._secret_key = secret_key
        self._deliver = deliver
        self._stopping = threading.Event()
        self.app = Starlette(
            routes=[
                Route("/v1/{path:path}", self._api, methods=["GET", "POST", "DELETE"]),
                Route("/c/pay/{name}", self._checkout, methods=["GET", "POST"]),
                Route("/p/session/{name}", self._portal, methods=["GET", "POST"]),
                Route("/i/{name}", self._invoice),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        worker = threading.Thread(target=self._work, name="stripe-webhooks", daemon=True)
        if self._deliver:
            worker.start()
        yield
        self._stopping.set()
        if self._deliver:
            await anyio.to_thread.run_sync(worker.join)

    def _work(self) -> None:
        with httpx.Client() as client:
            while not self._stopping.is_set():
                with self.account.store.transaction():
                    clocks.catch_up(self.account)
                if not webhooks.deliver_one(self.account, client):
                    self._stopping.wait(0.1)

    async def _api(self, request: Request) -> Response:
        body = (await request.body()).decode(errors="replace")
        text = body if request.method == "POST" else request.url.query
        return await anyio.to_thread.run_sync(self._call, request, text)

    def _call(self, request: Request, text: str) -> Response:
        headers = {"Request-Id": f"req_{secrets.token_hex(8)}", "Stripe-Version": _ApiVersion.CURRENT}
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key:
            headers["Idempotency-Key"] = key
        try:
            self._check(request)
            with self.account.store.transaction():
                status, body, again = self._answer(request.method, request.url.path, text, key)
        except Refused as refusal:
            status, body, again = refusal.status, json.dumps(refusal.body), False
        if again:
            headers["Idempotent-Replayed"] = "true"
        return Response(body, status, headers, "application/json")

    def _check(self, request: Request) -> None:
        """Raises: Refused: a key or a version that is not ours."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            given = base64.b64decode(given + "==").decode(errors="replace").partition(":")[0]
        if not secrets.compare_digest(given.encode(), self._secret_key.encode()):
            shown = f"{given[:8]}***{given[-4:]}" if given else "(none)"
            raise Refused(f"Invalid API Key provided: {shown}", status=401)
        version = request.headers.get("stripe-version", _ApiVersion.CURRENT)
        if version != _ApiVersion.CURRENT:
            raise Refused(f"Invalid Stripe API version: {version}. This server speaks {_ApiVersion.CURRENT}.")

    def _answer(self, method: str, path: str, text: str, key: str | None) -> tuple[int, str, bool]:
        """Status, body, and whether it is what was answered before."""
        asked = sha256(f"{method} {path}\n{text}".encode()).hexdigest()
        if key:
            self.account.store.forget_answers(self.account.clock() - _KEY_SECONDS)
            known = self.account.store.answer(key)
            if known is not None:
                if known[0] != asked:
                    raise Refused(
                        "Keys for idempotent requests can only be used with the same parameters they were first used"
                        f" with. Try using a key other than '{key}' if you meant to execute a different request.",
                        kind="idempotency_error",
                    )
                return known[1], known[2], True
        operation, name = _operation(method, path)
        params = accept(operation.shape, decode(text), operation.served)
        status, body = 200, ""
        try:
            made = operation.run(self.account, name, params)
            body = json.dumps(self._shown(made, params.get("expand", [])))
        except Refused as refusal:
            if not refusal.kept:
                raise
            status, body = refusal.status, json.dumps(refusal.body)
        if key:
            self.account.store.keep_answer(key, asked, status, body, self.account.clock())
        return status, body, False

    def _shown(self, made: Obj, expand: list[str]) -> Obj:
        shown: Obj = complete(made)
        if made["object"] == "invoice" and "payments" not in {path.split(".")[0] for path in expand}:
            del shown["payments"]  # Stripe includes them for those who ask
        for path in expand:
            if path.count(".") >= _DEEPEST:
                raise Refused(
                    f"You cannot expand more than {_DEEPEST} levels of a property. Property: {path}",
                    param="expand",
                )
            self._expand(shown, path.split("."), path)
        return shown

    def _expand(self, place: Any, parts: list[str], path: str) -> None:
        if isinstance(place, list):
            for entry in place:
                self._expand(entry, parts, path)
            return
        if not parts or place is None:
            return
        value = place.get(parts[0], path) if isinstance(place, dict) else path
        if value == path:
            raise Refused(f"This property cannot be expanded ({path}).", param="expand")
        if isinstance(value, str):
            found = self.account.store.find(value)
            if found is None:
                raise Refused(f"This property cannot be expanded ({path}).", param="expand")
            place[parts[0]] = value = complete(found)
        self._expand(value, parts[1:], path)

    async def _checkout(self, request: Request) -> Response:
        return await self._page(request, self._pay_page)

    async def _portal(self, request: Request) -> Response:
        return await self._page(request, self._portal_page)

    async def _invoice(self, request: Request) -> Response:
        return await self._page(request, self._invoice_page)

    async def _page(self, request: Request, show: Callable[[str, Obj | None], Response]) -> Response:
        form = None
        if request.method == "POST":
            form = decode((await request.body()).decode(errors="replace"))
        try:
            return await anyio.to_thread.run_sync(show, request.path_params["name"], form)
        except Refused as refusal:
            return HTMLResponse(pages.render("message", title=str(refusal)), refusal.status)

    def _pay_page(self, name: str, form: Obj | None) -> Response:
        error = None
        if form is not None:
            try:
                with self.account.store.transaction():
                    session = self.account.get("checkout.session", name)
                    checkout.complete(self.account, session, *_card(form))
                return RedirectResponse(session["success_url"].replace("{CHECKOUT_SESSION_ID}", name), 303)
            except Refused as refusal:
                error = str(refusal)
        with self.account.store.transaction():
            session = self.account.get("checkout.session", name)
            if not checkout.is_open(self.account, session):
                raise Refused("This page is no longer open. Please begin again.", status=410)
        status = 402 if error else 200
        page = pages.render("checkout", session=session, item=session["_items"][0], error=error)
        return HTMLResponse(page, status)

    def _portal_page(self, name: str, form: Obj | None) -> Response:
        error = None
        if form is not None:
            try:
                with self.account.store.transaction():
                    self._portal_act(portal.opened(self.account, name), form)
                return RedirectResponse(f"/p/session/{name}", 303)
            except Refused as refusal:
                error = str(refusal)
        with self.account.store.transaction():
            session = portal.opened(self.account, name)
            customer = session["customer"]
            page = pages.render(
                "portal",
                session=session,
                error=error,
                card=portal.card_shown(self.account, session),
                subscriptions=portal.live(self.account, customer),
                invoices=[i for i in self.account.store.all("invoice") if i["customer"] == customer],
            )
        return HTMLResponse(page, 402 if error else 200)

    def _portal_act(self, session: Obj, form: Obj) -> None:
        if form.get("act") == "card":
            portal.set_card(self.account, session, *_card(form))
        else:
            wanted = form.get("act") == "cancel"
            portal.set_cancel(self.account, session, str(form.get("subscription", "")), wanted)

    def _invoice_page(self, name: str, _: Obj | None) -> Response:
        with self.account.store.transaction():
            return HTMLResponse(pages.render("invoice", invoice=self.account.get("invoice", name)))


def _operation(method: str, path: str) -> tuple[Operation, str]:
    for operation in OPERATIONS:
        name = operation.match(method, path)
        if name is not None:
            return operation, name
    raise Refused(f"Unrecognized request URL ({method}: {path}).", status=404)


def _card(form: Obj) -> tuple[str, int, int]:
    """Number, month and year as a person typed them.

    Raises:
        Refused: the card has expired, or something is not filled in.
    """
    expiry = _EXPIRY.match(str(form.get("expiry", "")))
    if expiry is None or not 1 <= int(expiry[1]) <= 12:
        raise Refused("Your card's expiration date is invalid.", status=402)
    if not re.fullmatch(r"\d{3,4}", str(form.get("cvc", ""))):
        raise Refused("Your card's security code is invalid.", status=402)
    return str(form.get("number", "")), int(expiry[1]), 2000 + int(expiry[2]) % 100
