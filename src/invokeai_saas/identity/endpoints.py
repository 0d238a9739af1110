"""InvokeAI's `auth` routes as its page calls them, and our sign-up and refresh."""

from __future__ import annotations

import secrets
import string

from fastapi import APIRouter, Request, Response

from invokeai_saas.errors import Forbidden, Unauthenticated
from invokeai_saas.identity.access import (
    AUTH_PATH,
    HOSTED_COOKIE,
    MEDIA_COOKIE,
    REFRESH_COOKIE,
    Caller,
    LogIn,
    Shared,
    bearer_token,
    client_address,
)
from invokeai_saas.identity.schemas import (
    GeneratedPassword,
    LoginRequest,
    LoginResponse,
    LogoutResponse,
    MediaCookieResponse,
    ProfileUpdate,
    RefreshResponse,
    SetupStatusResponse,
    SignUpRequest,
    SignUpResponse,
    UserDTO,
)
from invokeai_saas.identity.service import OpenedSession
from invokeai_saas.identity.tables import User
from invokeai_saas.languages import preferred
from invokeai_saas.services import Services

router = APIRouter(prefix="/api/v1/auth", tags=["authentication"])

_STAFF_ONLY = "People are managed by our staff, in pages of their own."


def user_dto(user: User) -> UserDTO:
    """A person on InvokeAI's wire."""
    return UserDTO(
        user_id=str(user.id),
        email=user.email,
        display_name=user.name,
        is_active=user.is_active,
        created_at=user.created_at,
        updated_at=user.updated_at,
        last_login_at=user.last_login_at,
    )


def _set_media_cookie(response: Response, shared: Services, token: str) -> None:
    response.set_cookie(
        MEDIA_COOKIE,
        token,
        max_age=shared.settings.access_token_seconds,
        path="/api",  # covers of models lie below /api/v2
        httponly=True,
        samesite="lax",
        secure=shared.settings.secure_cookies,
    )


def _set_refresh_cookie(response: Response, shared: Services, secret: str, *, persistent: bool) -> None:
    response.set_cookie(
        REFRESH_COOKIE,
        secret,
        max_age=shared.settings.session_days * 86_400 if persistent else None,
        path=AUTH_PATH,
        httponly=True,
        samesite="strict",
        secure=shared.settings.secure_cookies,
    )


def set_cookies(response: Response, shared: Services, opened: OpenedSession, *, persistent: bool) -> None:
    """Gives the browser what it keeps of a log-in."""
    _set_media_cookie(response, shared, opened.media_token)
    _set_refresh_cookie(response, shared, opened.refresh, persistent=persistent)


def _opened(
    response: Response, shared: Services, opened: OpenedSession, *, persistent: bool
) -> LoginResponse:
    set_cookies(response, shared, opened, persistent=persistent)
    return LoginResponse(token=opened.token, user=user_dto(opened.user), expires_in=opened.expires_in)


@router.get("/status")
async def status() -> SetupStatusResponse:
    return SetupStatusResponse()


@router.post("/sign-up", status_code=201)
async def sign_up(
    body: SignUpRequest, request: Request, response: Response, shared: Shared
) -> SignUpResponse:
    """Creates an account, with its trial if the address has had none, and logs it in."""
    limit = shared.settings.sign_ups_per_hour
    await shared.limiter.check(client_address(request), "sign-up", limit, window=3600)
    language = preferred(request.headers.get("accept-language"))
    new = await shared.identity.sign_up(body, request.headers.get("user-agent"), language)
    logged_in = _opened(response, shared, new.opened, persistent=True)
    return SignUpResponse(**logged_in.model_dump(), trial=new.trial)


@router.post("/login")
async def login(body: LoginRequest, request: Request, response: Response, shared: Shared) -> LoginResponse:
    # The account comes last: what is refused before it uses up none of its owner's tries.
    address, limits = client_address(request), shared.settings
    for who, limit in (
        (address, limits.login_attempts_per_address),
        (f"{body.email}@{address}", limits.login_attempts_per_minute),
        (body.email, limits.login_attempts_per_account),
    ):
        await shared.limiter.check(who, "login", limit)
    opened = await shared.identity.log_in(body, request.headers.get("user-agent"))
    return _opened(response, shared, opened, persistent=body.remember_me)


@router.post("/refresh")
async def refresh(request: Request, response: Response, shared: Shared) -> RefreshResponse:
    """A fresh access token for the browser's refresh cookie, which is swapped for its successor."""
    secret = request.cookies.get(REFRESH_COOKIE)
    if not secret:
        raise Unauthenticated
    refreshed = await shared.identity.refresh(secret)
    shared.identity.catching_up.at_once(refreshed.sub)
    _set_media_cookie(response, shared, refreshed.media_token)
    if refreshed.refresh:
        _set_refresh_cookie(response, shared, refreshed.refresh, persistent=refreshed.persistent)
    return RefreshResponse(token=refreshed.token, expires_in=shared.settings.access_token_seconds)


@router.post("/logout", response_model_exclude_none=True)
async def logout(request: Request, response: Response, shared: Shared) -> LogoutResponse:
    """Ends the session of the Bearer token or the refresh cookie, whichever is still good, and clears both cookies.

    The cookie alone is enough, since no other site can send it (SameSite=Strict): who was idle for an hour has
    no good token any more and wants to leave all the same. Who logged in on the identity provider's page is logged in
    there as well: the answer says where that ends.
    """
    await shared.identity.log_out(bearer_token(request), request.cookies.get(REFRESH_COOKIE))
    response.delete_cookie(MEDIA_COOKIE, path="/api")
    response.delete_cookie(REFRESH_COOKIE, path=AUTH_PATH)
    if shared.hosted is None or HOSTED_COOKIE not in request.cookies:
        return LogoutResponse()
    response.delete_cookie(HOSTED_COOKIE, path=AUTH_PATH)
    return LogoutResponse(next=shared.hosted.exit)


@router.post("/media-cookie")
async def media_cookie(person: LogIn, response: Response, shared: Shared) -> MediaCookieResponse:
    token = shared.identity.issue(person.sub, person.user_id, person.session_id, "media")
    _set_media_cookie(response, shared, token)
    return MediaCookieResponse()


@router.get("/me")
async def me(person: Caller, shared: Shared) -> UserDTO:
    return user_dto(await shared.identity.me(person))


@router.patch("/me")
async def update_me(body: ProfileUpdate, person: LogIn, shared: Shared) -> UserDTO:
    return user_dto(await shared.identity.update_profile(person, body))


@router.get("/generate-password")
async def generate_password(person: Caller) -> GeneratedPassword:
    """A random password that meets our own rule."""
    pools = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
    letters = [secrets.choice(pool) for pool in pools]
    letters += [secrets.choice("".join(pools)) for _ in range(13)]
    secrets.SystemRandom().shuffle(letters)
    return GeneratedPassword(password="".join(letters))


@router.post("/setup")
async def setup() -> None:
    """InvokeAI's first-run set-up of its administrator: a hosted service is set up already."""
    raise Forbidden("This service is set up already. Sign up for an account of your own.")


@router.get("/users")
async def list_users(person: Caller) -> None:
    raise Forbidden(_STAFF_ONLY)


@router.post("/users")
async def create_user(person: Caller) -> None:
    raise Forbidden(_STAFF_ONLY)


@router.api_route("/users/{user_id}", methods=["GET", "PATCH", "DELETE"], include_in_schema=False)
async def one_user(user_id: str, person: Caller) -> None:
    raise Forbidden(_STAFF_ONLY)
