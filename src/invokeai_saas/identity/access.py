"""FastAPI dependencies: who is calling, and a database transaction in their name.

The transaction is committed when the endpoint returns and before the answer is sent (`scope="function"`), so
an answer never speaks of something that was then rolled back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network
from typing import Annotated

import structlog
from fastapi import Cookie, Depends, Request

from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import Forbidden, Unauthenticated
from invokeai_saas.identity.service import Person
from invokeai_saas.services import Services

MEDIA_COOKIE = "invokeai_media_token"  # InvokeAI's name for it
REFRESH_COOKIE = "invokeai_saas_refresh"
# Says that the log-in was made on the identity provider's page, nothing else.
HOSTED_COOKIE = "invokeai_saas_hosted"
AUTH_PATH = "/api/v1/auth"  # of the two that only log-ins need


async def services(request: Request) -> Services:
    """What the process shares: pools, identity, storage.

    A coroutine though it awaits nothing: the framework runs plain functions in a thread, which takes longer than all of
    this does.
    """
    found: Services = request.app.state.services
    return found


Shared = Annotated[Services, Depends(services)]


def bearer_token(request: Request) -> str | None:
    """The token of the Authorization header, if there is one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if token and scheme.lower() == "bearer" else None


def client_address(request: Request) -> str:
    """Where a request comes from, for counting: of an IPv6 address its /64, which one household has to itself."""
    given = request.client.host if request.client else ""
    try:
        address = ip_address(given)
    except ValueError:
        return given or "unknown"
    return str(ip_network((address, 64), strict=False)) if address.version == 6 else given


async def caller(request: Request, shared: Shared) -> Person:
    """The person behind the Bearer token, which may be an API key.

    Raises:
        Unauthenticated: no token, a bad one, or an ended session.
        NotInPlan: a key, and the person's plan has none.
        RateLimited: more requests a minute than the settings allow.
    """
    token = bearer_token(request)
    if token is None:
        raise Unauthenticated
    person, claims = await shared.identity.authenticate(token)
    structlog.contextvars.bind_contextvars(tenant=str(person.user_id))  # for every line of this request
    if person.by_key:  # first: what is refused to one program takes nothing from its person's others
        await shared.limiter.check(
            str(person.session_id), "key-requests", shared.settings.key_requests_per_minute
        )
    await shared.limiter.check(str(person.user_id), "requests", shared.settings.requests_per_minute)
    stale = claims is not None and claims.stale
    if stale:
        # The page takes over whatever token stands in this header of a successful answer.
        request.state.refreshed_token = shared.identity.issue(person.sub, person.user_id, person.session_id)
    if stale or person.by_key:
        shared.identity.catching_up.soon(person.sub)
    return person


async def media_caller(
    request: Request, shared: Shared, token: Annotated[str | None, Cookie(alias=MEDIA_COOKIE)] = None
) -> Person:
    """The person of a picture request: Bearer token, or the media cookie, which is good for nothing else."""
    if request.headers.get("authorization"):
        return await caller(request, shared)
    if not token:
        raise Unauthenticated
    person, _ = await shared.identity.authenticate(token, "media")
    structlog.contextvars.bind_contextvars(tenant=str(person.user_id))
    return person


async def logged_in(person: Annotated[Person, Depends(caller)]) -> Person:
    """The caller where an API key is not enough: what concerns log-ins, keys, payments and the account itself.

    Raises:
        Forbidden: who asks has a key (code `log_in_needed`).
    """
    if person.by_key:
        raise Forbidden(
            "An API key can't do this. Log in and do it on your account page.", code="log_in_needed"
        )
    return person


Caller = Annotated[Person, Depends(caller)]
LogIn = Annotated[Person, Depends(logged_in)]
MediaCaller = Annotated[Person, Depends(media_caller)]


async def writer(person: Caller, shared: Shared) -> AsyncIterator[WriteSession]:
    """A transaction that may write, in the caller's name."""
    async with shared.database.write(person.user_id) as session:
        yield session


async def reader(person: Caller, shared: Shared) -> AsyncIterator[ReadSession]:
    """A transaction that only reads, in the caller's name."""
    async with shared.database.read(person.user_id) as session:
        yield session


Writer = Annotated[WriteSession, Depends(writer, scope="function")]
Reader = Annotated[ReadSession, Depends(reader, scope="function")]


async def limit_upload(person: Caller, shared: Shared) -> None:
    """At most so many uploads a minute a person."""
    await shared.limiter.check(str(person.user_id), "upload", shared.settings.uploads_per_minute)


async def limit_enqueue(person: Caller, shared: Shared) -> None:
    """At most so many enqueues a minute a person."""
    await shared.limiter.check(str(person.user_id), "enqueue", shared.settings.enqueues_per_minute)


async def limit_estimate(person: Caller, shared: Shared) -> None:
    """As many estimates as enqueues: they take as long to check."""
    await shared.limiter.check(str(person.user_id), "estimate", shared.settings.enqueues_per_minute)
