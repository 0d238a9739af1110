"""Web pages: our own, and InvokeAI's on every path that nobody else answers."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse
from starlette.routing import Match
from starlette.types import Scope

from invokeai_saas.billing import service as billing
from invokeai_saas.errors import NotFound
from invokeai_saas.identity import passwords
from invokeai_saas.identity.access import Shared
from invokeai_saas.portal.own import STATIC_FILES, render
from invokeai_saas.portal.page import InstalledPage, read_page
from invokeai_saas.services import Services

router = APIRouter(include_in_schema=False)

# First parts of paths that are never InvokeAI's page, so that a mistyped one is a 404 and not a page.
_NOT_PAGES = frozenset({"api", "ws", "images", "openapi.json", "portal", "issuer"})


class PageRoute(APIRoute):
    """A route that only sees GET and HEAD of paths which may be a page's.

    It stands last and matches everything else; without this, a POST to an unknown API path would be told
    "method not allowed" where "not found" is true.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        first = scope.get("path", "").lstrip("/").partition("/")[0]
        if first in _NOT_PAGES or scope.get("method") not in ("GET", "HEAD"):
            return Match.NONE, {}
        return super().matches(scope)


# To be included after every other router.
page_router = APIRouter(include_in_schema=False, route_class=PageRoute)


async def _installed(request: Request, shared: Services) -> InstalledPage | None:
    """The page, read from disk once; while it is missing each request looks again."""
    state = request.app.state
    found: InstalledPage | None = getattr(state, "invokeai_page", None)
    if found is None:
        found = state.invokeai_page = await asyncio.to_thread(read_page, shared.settings.page_dir)
    return found


@router.api_route("/signup", methods=["GET", "HEAD"])
async def sign_up_page(shared: Shared) -> Response:
    return render("signup.html", trial=await billing.trial(shared.database), shortest=passwords.MIN_LENGTH)


@router.api_route("/account", methods=["GET", "HEAD"])
async def account_page() -> Response:
    """The frame of the page. Its script fills in what the caller's token may see; this answer is nobody's."""
    return render("account.html")


@router.api_route("/portal/inter.woff2", methods=["GET", "HEAD"])
async def typeface(request: Request, shared: Shared) -> Response:
    """The typeface of InvokeAI's page, under a name that does not change with its releases."""
    page = await _installed(request, shared)
    name = page.find("assets/inter-latin-wght-normal-") if page else None
    if page is None or name is None:
        raise NotFound("The typeface")
    return page.answer(request, name)


@router.api_route("/portal/{name}", methods=["GET", "HEAD"])
async def own_file(name: str, request: Request) -> Response:
    """Scripts and styles of ours."""
    file = STATIC_FILES.get(name)
    if file is None:
        raise NotFound("This file")
    return file.answer(request)


@page_router.api_route("/setup", methods=["GET", "HEAD"])
async def set_up() -> Response:
    """InvokeAI's form for its first administrator has no place in a hosted service: people sign up."""
    return RedirectResponse("/signup", status_code=307)


@page_router.api_route("/{path:path}", methods=["GET", "HEAD"])
async def invokeai_page(path: str, request: Request, shared: Shared) -> Response:
    """A file of InvokeAI's page; for other paths a browser opens, the page itself, which knows its routes."""
    page = await _installed(request, shared)
    if page is not None and path in page.files:
        return page.answer(request, path)
    if path.startswith(("assets/", "locales/")) or not _accepts_html(request):
        raise NotFound("This page")
    if page is None:
        return render("missing.html", status=503)
    if path.count("/") > 1:
        # The page loads its files relative to its own address: it works one level deep, no deeper.
        return RedirectResponse("/", status_code=307)
    return page.answer(request, "index.html")


def _accepts_html(request: Request) -> bool:
    accept = request.headers.get("accept", "*/*")
    return "text/html" in accept or "*/*" in accept
