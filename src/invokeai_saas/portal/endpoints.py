"""Web pages: our own, and InvokeAI's on every path that nobody else answers."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse
from starlette.routing import Match
from starlette.types import Scope

from invokeai_saas.billing import service as billing
from invokeai_saas.billing.selling import service as selling
from invokeai_saas.errors import NotFound
from invokeai_saas.identity import passwords
from invokeai_saas.identity.access import Shared, client_address
from invokeai_saas.portal.offers import chosen, pack_offers, plan_offers
from invokeai_saas.portal.own import STATIC_FILES
from invokeai_saas.portal.page import InstalledPage, read_page
from invokeai_saas.portal.pages import show
from invokeai_saas.portal.showcase import PICTURES
from invokeai_saas.portal.texts import ACCOUNT_TEXTS, RECOVERY_TEXTS, SIGN_UP_TEXTS, page_language
from invokeai_saas.services import Services

router = APIRouter(include_in_schema=False)

# First parts of paths that are never InvokeAI's page, so that a mistyped one is a 404 and not a page.
_NOT_PAGES = frozenset({"api", "ws", "images", "openapi.json", "portal", "issuer", "admin"})


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


# What InvokeAI's page draws by itself, each at an address of its own. Where it is opened at any other it shows its
# first tab; there is nothing at those, and a mistyped address should say so.
ITS_ROUTES = frozenset({"app", "login", "profile", "admin/users"})

# To be included after every other router.
page_router = APIRouter(include_in_schema=False, route_class=PageRoute)


async def _installed(request: Request, shared: Services) -> InstalledPage | None:
    """The page, read from disk once; while it is missing each request looks again."""
    state = request.app.state
    found: InstalledPage | None = getattr(state, "invokeai_page", None)
    if found is None:
        found = state.invokeai_page = await asyncio.to_thread(read_page, shared.settings.page_dir)
    return found


async def _limit(request: Request, shared: Services) -> None:
    """Pages that ask the database are open to everybody: so many a minute from one address."""
    await shared.limiter.check(client_address(request), "pages", shared.settings.pages_per_minute)


@router.api_route("/", methods=["GET", "HEAD"])
@router.api_route("/welcome", methods=["GET", "HEAD"])
async def landing_page(request: Request, shared: Shared) -> Response:
    """What a stranger sees. At `/`, its script sends who is logged in on to the studio."""
    await _limit(request, shared)
    return show(request, "welcome.html", trial=await billing.trial(shared.database), pictures=PICTURES)


@router.api_route("/pricing", methods=["GET", "HEAD"])
async def pricing_page(request: Request, shared: Shared) -> Response:
    await _limit(request, shared)
    language = page_language(request)
    return show(
        request,
        "pricing.html",
        plans=plan_offers(await billing.plans(shared.database), language),
        packs=pack_offers(await selling.packs(shared.database), language),
        contact=shared.settings.contact_email,
    )


@router.api_route("/signup", methods=["GET", "HEAD"])
async def sign_up_page(
    request: Request, shared: Shared, plan: str | None = None, interval: str | None = None
) -> Response:
    """The form. Parameters: plan, interval: what the visitor chose among the prices, to be paid after signing up."""
    await _limit(request, shared)
    offered = await billing.plans(shared.database)
    return show(
        request,
        "signup.html",
        trial=await billing.trial(shared.database),
        chosen=chosen(offered, plan, interval, page_language(request)),
        messages=dict(SIGN_UP_TEXTS[page_language(request)]),
        waits=shared.settings.verified_email_required,
        hosted=shared.hosted is not None,
        shortest=passwords.MIN_LENGTH,
    )


def _recovery_page(request: Request, page: str, shared: Services) -> Response:
    return show(
        request,
        f"{page}.html",
        page=page,
        messages=dict(RECOVERY_TEXTS[page_language(request)]),
        shortest=passwords.MIN_LENGTH,
        codes=bool(
            shared.settings.cognito_user_pool_id
        ),  # Cognito's mails carry a code where ours carry a link
    )


@router.api_route("/forgot-password", methods=["GET", "HEAD"])
async def forgot_password_page(request: Request, shared: Shared) -> Response:
    return _recovery_page(request, "forgot", shared)


@router.api_route("/reset-password", methods=["GET", "HEAD"])
async def reset_password_page(request: Request, shared: Shared) -> Response:
    """Where the mail's link leads. What is secret in it never comes here."""
    return _recovery_page(request, "reset", shared)


@router.api_route("/verify-email", methods=["GET", "HEAD"])
async def verify_email_page(request: Request, shared: Shared) -> Response:
    """As above. Opening it does nothing by itself: programs that look into links in mails confirm no address."""
    return _recovery_page(request, "verify", shared)


@router.api_route("/account", methods=["GET", "HEAD"])
async def account_page(request: Request) -> Response:
    """The frame of the page. Its script fills in what the caller's token may see; this answer is nobody's."""
    return show(
        request,
        "account.html",
        messages=dict(ACCOUNT_TEXTS[page_language(request)]),
        shortest=passwords.MIN_LENGTH,
    )


@router.api_route("/portal/inter.woff2", methods=["GET", "HEAD"])
async def typeface(request: Request, shared: Shared) -> Response:
    """The typeface of InvokeAI's page, under a name that does not change with its releases."""
    page = await _installed(request, shared)
    name = page.find("assets/inter-latin-wght-normal-") if page else None
    if page is None or name is None:
        raise NotFound("The typeface")
    return page.answer(request, name)


@router.api_route("/portal/{name:path}", methods=["GET", "HEAD"])
async def own_file(name: str, request: Request) -> Response:
    """Scripts, styles and pictures of ours."""
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
    """A file of InvokeAI's page; for the paths that it draws by itself, the page; for others, that there is none."""
    page = await _installed(request, shared)
    if page is not None and path in page.files:
        return page.answer(request, path)
    if path not in ITS_ROUTES or not _accepts_html(request):
        raise NotFound("This page")
    if page is None:
        return show(request, "missing.html", status=503)
    return page.answer(request, "index.html")


def is_opened(request: Request) -> bool:
    """Whether somebody has opened an address for a page, rather than a program called it."""
    first = request.url.path.lstrip("/").partition("/")[0]
    return request.method in ("GET", "HEAD") and first not in _NOT_PAGES and _accepts_html(request)


def _accepts_html(request: Request) -> bool:
    accept = request.headers.get("accept", "*/*")
    return "text/html" in accept or "*/*" in accept
