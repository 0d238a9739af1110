"""FastAPI dependencies of the pages for staff: who is at work, and a transaction in their name.

What changes something takes `Acting`, which is refused to forms of other sites: by their origin, and by the token that
each of our forms carries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Request
from structlog.contextvars import get_contextvars

from invokeai_saas.db import session as sessions
from invokeai_saas.db.session import StaffDb
from invokeai_saas.errors import Forbidden, Unauthenticated
from invokeai_saas.identity.access import Shared, client_address
from invokeai_saas.identity.staff import service
from invokeai_saas.settings import Settings

STAFF_COOKIE = "invokeai_saas_staff"
COOKIE_PATH = "/admin"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Staff:
    """Somebody of our staff at work, in a transaction of theirs.

    Parameters:
        db: sees what staff may see; acts are written to the audit log in their name.
        token: what forms of this session carry.
    """

    user_id: UUID
    email: str
    db: StaffDb
    token: str


def request_id() -> str:
    """The id under which the logs speak of this request."""
    return str(get_contextvars().get("request_id", ""))


def secure_cookie(settings: Settings) -> bool:
    """Whether the cookie is for https alone: everywhere but on one's own machine."""
    return settings.secure_cookies or urlsplit(settings.public_url).hostname not in _LOOPBACK


def check_origin(request: Request, settings: Settings) -> None:
    """Raises Forbidden: the form stands on another site, or its browser does not say on which."""
    origin = urlsplit(request.headers.get("origin", ""))
    if not origin.netloc or origin.netloc not in (
        urlsplit(settings.public_url).netloc,
        request.headers.get("host"),
    ):
        raise Forbidden("This form does not stand on our site.", code="foreign_form")


async def staff(request: Request, shared: Shared) -> AsyncIterator[Staff]:
    """Who is at work, to look at things.

    Raises:
        Unauthenticated: nobody, or their session has ended.
        NotFound: there are no pages for staff here.
    """
    secret = request.cookies.get(STAFF_COOKIE)
    if not secret:
        raise Unauthenticated
    acting = sessions.Acting(service.digest(secret), request_id(), client_address(request))
    async with shared.database.act(acting) as db:
        person = await service.at_work(db, secret)
        yield Staff(person.user_id, person.email, db, service.form_token(secret))


AtWork = Annotated[Staff, Depends(staff, scope="function")]


async def acting_staff(request: Request, shared: Shared, person: AtWork) -> Staff:
    """Who is at work, to change things. Raises, besides, Forbidden: the form is not one of ours."""
    check_origin(request, shared.settings)
    given = (await request.form()).get("csrf")
    service.check_form_token(request.cookies[STAFF_COOKIE], given if isinstance(given, str) else "")
    return person


Acting = Annotated[Staff, Depends(acting_staff, scope="function")]
