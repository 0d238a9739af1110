"""Proving an address, and coming back without a password, with codes that Cognito mails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from uuid import UUID

from invokeai_saas.db.session import Database
from invokeai_saas.errors import Conflict, InvalidInput
from invokeai_saas.identity import notices, passwords
from invokeai_saas.identity import repository as people
from invokeai_saas.identity.cognito.pool import UserPool
from invokeai_saas.identity.insisting import insisting
from invokeai_saas.identity.recovery.service import Recovery
from invokeai_saas.identity.service import Person
from invokeai_saas.settings import Settings

_CODE_INVALID = "This code has been used already, or it is too old. Ask for a new one."


class CognitoRecovery(Recovery):
    """A code is short, and good only together with the address that it was sent to.

    Parameters:
        pool: sends codes and checks them.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        ended: Callable[[Collection[UUID]], Awaitable[None]],
        pool: UserPool,
    ) -> None:
        super().__init__(database, settings, ended)
        self._pool = pool

    async def request_reset(self, email: str) -> None:
        await self._pool.forgot(email)

    async def reset(self, token: str, new_password: str, email: str | None = None) -> None:
        address = _address(email)
        passwords.check_strength(new_password)
        if not await self._pool.reset(address, token.strip(), new_password):
            raise _bad_code()
        sub = await self._pool.sub(address)
        user_id, ended = await insisting(lambda: self._log_out(address, sub))
        if user_id is not None:
            await self._database.wrote(user_id)
            await self._ended(ended)

    async def _log_out(self, address: str, sub: str | None) -> tuple[UUID | None, list[UUID]]:
        """Whose password is another one now, and the sessions that ends.

        Parameters:
            sub: their name in the pool, which may know another address for them than we do; None where it did not say.
        """
        async with self._database.authenticate() as db:
            user = await people.find_by_sub(db, sub) if sub else None
            if user is None:
                found = await people.find_by_email(db, address)
                user = found.user if found else None
            if user is None:
                return None, []
            ended = await people.revoke_sessions(db, user.id)
            await self._verified(db, user.id)
            await notices.password_changed(db, user.id)
            return user.id, ended

    async def verify(self, token: str, email: str | None = None) -> None:
        address = _address(email)
        if not await self._pool.confirm(address, token.strip()):
            raise _bad_code()
        async with self._database.authenticate() as db:
            found = await people.find_by_email(db, address)
            if found is not None:
                await self._verified(db, found.user.id)
        if found is not None:
            await self._database.wrote(found.user.id)

    async def ask_to_verify(self, person: Person) -> None:
        user = await self._user(person)
        if user.email_verified_at is not None:
            raise Conflict("Your address is confirmed already.", code="already_verified")
        await self._pool.send_code(user.email)


def _address(email: str | None) -> str:
    if not email:
        raise InvalidInput(("email",), "Give the address that the code was sent to.")
    return email


def _bad_code() -> InvalidInput:
    return InvalidInput(("token",), _CODE_INVALID, code="link_invalid")
