"""Leaving for the identity provider's log-in page, and coming back.

All of it is opened by browsers as pages: what goes wrong ends on our log-in page, which says what to do. Where it leads
is written here and never read from a request.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import RedirectResponse

from invokeai_saas.errors import NotFound, RateLimited, ServiceError
from invokeai_saas.identity.access import AUTH_PATH, HOSTED_COOKIE, Shared, client_address
from invokeai_saas.identity.endpoints import set_cookies
from invokeai_saas.identity.hosted.schemas import Offer
from invokeai_saas.identity.hosted.service import SECONDS, Answer, HostedLogIn
from invokeai_saas.portal.hosted import PROBLEMS
from invokeai_saas.portal.pages import show
from invokeai_saas.portal.texts import TEXTS, page_language
from invokeai_saas.services import Services

router = APIRouter(prefix="/login", include_in_schema=False)
log = structlog.get_logger(__name__)

COOKIE = "invokeai_saas_log_in"
_PATH = "/login"
_FRESH = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


async def _hosted(shared: Shared) -> HostedLogIn:
    if shared.hosted is None:
        raise NotFound("This page")
    return shared.hosted


Hosted = Annotated[HostedLogIn, Depends(_hosted)]
Sent = Annotated[str, Query(max_length=4096)]


def _leads_to(address: str) -> RedirectResponse:
    return RedirectResponse(address, status_code=303, headers=_FRESH)


@router.get("/offer")
async def offer(request: Request, response: Response, shared: Shared, problem: str = "") -> Offer:
    """What our log-in page shows beside its form."""
    response.headers.update(_FRESH)
    if shared.hosted is None:
        return Offer()
    texts = TEXTS[page_language(request)]
    told = PROBLEMS.get(problem)
    return Offer(href=f"{_PATH}/hosted", label=texts["hosted_offer"], problem=texts[told] if told else None)


@router.get("/hosted")
async def begin(request: Request, shared: Shared, hosted: Hosted) -> Response:
    """Leaves for the provider's page."""
    await _limit(request, shared, "hosted-login")
    begun = hosted.begin(page_language(request))
    answer = _leads_to(begun.url)
    answer.set_cookie(
        COOKIE,
        begun.kept,
        max_age=SECONDS,
        path=_PATH,
        httponly=True,
        samesite="lax",  # the way back begins at another site
        secure=shared.settings.secure_cookies,
    )
    return answer


@router.get("/callback")
async def callback(
    request: Request, shared: Shared, hosted: Hosted, state: Sent = "", code: Sent = "", error: Sent = ""
) -> Response:
    """Comes back, with a code or an error. The page that this leads to has neither in its address."""
    await _limit(request, shared, "login")
    try:
        opened = await hosted.finish(
            request.cookies.get(COOKIE),
            Answer(state, code, error),
            request.headers.get("user-agent"),
            page_language(request),
        )
    except RateLimited:
        raise
    except ServiceError as refused:
        log.info("hosted_log_in_refused", code=refused.code)
        problem = refused.code if refused.code in PROBLEMS else "unavailable"
        answer = _leads_to(f"{_PATH}?{urlencode({'problem': problem})}")
    else:
        answer = _leads_to(f"{_PATH}/done")
        set_cookies(answer, shared, opened, persistent=False)
        _remember(answer, shared)
    answer.delete_cookie(COOKIE, path=_PATH)
    return answer


@router.api_route("/done", methods=["GET", "HEAD"])
async def done(request: Request, hosted: Hosted) -> Response:
    """Its script swaps the refresh cookie for the token that the studio's page keeps, and goes on there."""
    return show(request, "entering.html")


async def _limit(request: Request, shared: Services, what: str) -> None:
    """As many a minute from one address as tries with a password. There is no password to guess at an account."""
    await shared.limiter.check(client_address(request), what, shared.settings.login_attempts_per_address)


def _remember(answer: Response, shared: Services) -> None:
    """That logging out has to end the provider's log-in as well."""
    answer.set_cookie(
        HOSTED_COOKIE,
        "1",
        path=AUTH_PATH,
        httponly=True,
        samesite="strict",
        secure=shared.settings.secure_cookies,
    )
