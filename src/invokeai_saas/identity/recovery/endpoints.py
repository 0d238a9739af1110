"""Forgotten passwords, confirmed addresses, and the language that we write in."""

from __future__ import annotations

from fastapi import APIRouter, Request

from invokeai_saas.identity.access import LogIn, Shared, client_address
from invokeai_saas.identity.recovery.schemas import (
    ChosenLanguage,
    Contact,
    Done,
    ForgotPassword,
    LinkSecret,
    ResetPassword,
)
from invokeai_saas.services import Services

router = APIRouter(prefix="/api/v1", tags=["authentication"])
_HOUR = 3600


async def _limit_links(shared: Services, request: Request, account: str) -> None:
    """The account comes last, as with log-in. It is counted by its address, whether or not it is anybody's."""
    limits = shared.settings
    await shared.limiter.check(
        client_address(request), "link-mail", limits.link_mails_per_address, window=_HOUR
    )
    await shared.limiter.check(account, "link-mail", limits.link_mails_per_hour, window=_HOUR)


async def _limit_uses(shared: Services, request: Request, account: str | None) -> None:
    """A link cannot be guessed; a code of six digits could, from many addresses."""
    limits = shared.settings
    await shared.limiter.check(client_address(request), "use-link", limits.login_attempts_per_address)
    if account:
        await shared.limiter.check(account, "use-link", limits.login_attempts_per_account)


@router.post("/auth/forgot-password", status_code=202)
async def forgot_password(body: ForgotPassword, request: Request, shared: Shared) -> Done:
    """Sends a link to choose a new password, if the address is somebody's. The answer never tells whether it is."""
    await _limit_links(shared, request, body.email)
    await shared.recovery.request_reset(body.email)
    return Done()


@router.post("/auth/reset-password")
async def reset_password(body: ResetPassword, request: Request, shared: Shared) -> Done:
    """Sets a new password with the link of the mail, and ends all sessions."""
    await _limit_uses(shared, request, body.email)
    await shared.recovery.reset(body.token, body.new_password, body.email)
    return Done()


@router.post("/auth/verify-email")
async def verify_email(body: LinkSecret, request: Request, shared: Shared) -> Done:
    """Confirms an address with the link of the mail."""
    await _limit_uses(shared, request, body.email)
    await shared.recovery.verify(body.token, body.email)
    return Done()


@router.post("/account/verification", status_code=202)
async def ask_to_verify(person: LogIn, request: Request, shared: Shared) -> Done:
    """Sends the caller another link to confirm their address."""
    await _limit_links(shared, request, str(person.user_id))
    await shared.recovery.ask_to_verify(person)
    return Done()


@router.get("/account/contact")
async def contact(person: LogIn, shared: Shared) -> Contact:
    return await shared.recovery.contact(person)


@router.put("/account/language")
async def choose_language(body: ChosenLanguage, person: LogIn, shared: Shared) -> Contact:
    return await shared.recovery.choose_language(person, body.language)
