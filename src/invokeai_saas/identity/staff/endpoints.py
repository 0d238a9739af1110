"""Staff's log-in and log-out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from invokeai_saas.errors import RateLimited, Unauthenticated
from invokeai_saas.identity.access import Shared, client_address
from invokeai_saas.identity.staff import service
from invokeai_saas.identity.staff.access import (
    COOKIE_PATH,
    STAFF_COOKIE,
    Acting,
    check_origin,
    request_id,
    secure_cookie,
)
from invokeai_saas.portal.staff import LOG_IN, StaffRoute, staff_page
from invokeai_saas.services import Services

router = APIRouter(prefix="/admin", include_in_schema=False, route_class=StaffRoute)

Typed = Annotated[str, Form(max_length=256)]


async def _limit(shared: Services, email: str, address: str) -> None:
    """As at customers' log-in: the account comes last, so that what is refused before uses up none of its tries."""
    limits = shared.settings
    for who, limit in (
        (address, limits.login_attempts_per_address),
        (f"{email}@{address}", limits.login_attempts_per_minute),
        (email, limits.login_attempts_per_account),
    ):
        await shared.limiter.check(who, "staff-login", limit)
    await shared.limiter.check(email, "staff-login-hour", limits.staff_log_ins_per_hour, window=3600)


@router.api_route("/login", methods=["GET", "HEAD"])
async def log_in_page(request: Request) -> Response:
    return staff_page("login.html", request, email="", message="")


@router.post("/login")
async def log_in(request: Request, shared: Shared, email: Typed, password: Typed, code: Typed) -> Response:
    """Opens a session and leads to the first page."""
    check_origin(request, shared.settings)
    address = client_address(request)
    email = email.strip().lower()
    try:
        await _limit(shared, email, address)
        secret = await service.log_in(
            shared.database, email, password, code, address, request_id(), request.headers.get("user-agent")
        )
    except (Unauthenticated, RateLimited) as error:
        page = staff_page("login.html", request, status=error.status, email=email, message=error.message)
        if isinstance(error, RateLimited):
            page.headers.update(error.headers())
        return page
    answer = RedirectResponse("/admin", status_code=303)
    answer.set_cookie(
        STAFF_COOKIE,
        secret,
        path=COOKIE_PATH,
        httponly=True,
        samesite="strict",
        secure=secure_cookie(shared.settings),
    )
    return answer


@router.post("/logout")
async def log_out(request: Request, person: Acting) -> Response:
    await service.end(person.db, request.cookies[STAFF_COOKIE])
    answer = RedirectResponse(LOG_IN, status_code=303)
    answer.delete_cookie(STAFF_COOKIE, path=COOKIE_PATH)
    return answer
