"""Proving an address, and coming back without a password, by our own links (`identity.cognito` has Cognito's codes).

Links come by mail and are made when the mail is sent (`links`); here they are asked for and used.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import cast
from uuid import UUID, uuid4

from invokeai_saas.db.session import AuthSessionDb, Database
from invokeai_saas.errors import Conflict, InvalidInput, Unauthenticated
from invokeai_saas.identity import notices, passwords
from invokeai_saas.identity import repository as people
from invokeai_saas.identity.following import address_proven
from invokeai_saas.identity.hashes import KeyedHashes
from invokeai_saas.identity.recovery import repository
from invokeai_saas.identity.recovery.links import digest
from invokeai_saas.identity.recovery.schemas import Contact
from invokeai_saas.identity.service import Person
from invokeai_saas.identity.tables import User
from invokeai_saas.languages import Language
from invokeai_saas.mail import service as mail
from invokeai_saas.settings import Settings

LINK_INVALID = "This link has been used already, or it is too old. Ask for a new one."


def _bad_link() -> InvalidInput:
    return InvalidInput(("token",), LINK_INVALID, code="link_invalid")


class Recovery:
    """Verification and reset.

    Parameters:
        ended: told which sessions a new password has ended.
    """

    def __init__(
        self, database: Database, settings: Settings, ended: Callable[[Collection[UUID]], Awaitable[None]]
    ) -> None:
        self._database = database
        self._settings = settings
        self._ended = ended
        self._hashes = KeyedHashes(settings.identity_secret.get_secret_value())

    async def request_reset(self, email: str) -> None:
        """Writes down that somebody wants a new password for an address.

        Whether there is such a person is looked up by the scheduler, later: here every address costs the same, so
        neither the answer nor its time tells anything.
        """
        async with self._database.authenticate() as db:
            await repository.request_reset(db, email)

    async def reset(self, token: str, new_password: str, email: str | None = None) -> None:  # noqa: ARG002 - the link says whose
        """Sets the password of the link's person, logs them out everywhere and tells them by mail.

        Who can read the mail has the address, so that is confirmed with it.

        Raises:
            InvalidInput: a weak password, or a link that is not good (code `link_invalid`).
        """
        passwords.check_strength(new_password)
        async with self._database.authenticate() as db:
            known = await repository.find_link(db, "reset_password", digest(token))
        if known is None:  # before the hash, which costs a good deal more
            raise _bad_link()
        password_hash = await passwords.hash_password(new_password)
        async with self._database.authenticate() as db:
            user_id = await repository.use_link(db, "reset_password", digest(token))
            if user_id is None:
                raise _bad_link()
            await people.set_password(db, user_id, password_hash)
            ended = await people.revoke_sessions(db, user_id)
            await self._verified(db, user_id)
            await notices.password_changed(db, user_id)
        await self._database.wrote(user_id)
        await self._ended(ended)

    async def verify(self, token: str, email: str | None = None) -> None:  # noqa: ARG002
        """Confirms the address that the link was sent to.

        Raises:
            InvalidInput: the link is not good (code `link_invalid`).
        """
        async with self._database.authenticate() as db:
            user_id = await repository.use_link(db, "verify_email", digest(token))
            if user_id is None:
                raise _bad_link()
            await self._verified(db, user_id)
        await self._database.wrote(user_id)

    async def _verified(self, db: AuthSessionDb, user_id: UUID) -> None:
        await address_proven(db, self._settings, self._hashes, user_id)

    async def ask_to_verify(self, person: Person) -> None:
        """Sends the person another link.

        Raises:
            Conflict: the address is confirmed (code `already_verified`).
        """
        user = await self._user(person)
        if user.email_verified_at is not None:
            raise Conflict("Your address is confirmed already.", code="already_verified")
        async with self._database.authenticate() as db:
            await mail.enqueue(db, "verify_email", str(uuid4()), user_id=person.user_id)

    async def contact(self, person: Person) -> Contact:
        """How we write to the caller."""
        user = await self._user(person)
        verified = user.email_verified_at is not None
        return Contact(
            email=user.email,
            email_verified=verified,
            language=cast(Language, user.language),
            trial_waits=self._settings.verified_email_required and not verified,
        )

    async def choose_language(self, person: Person, language: Language) -> Contact:
        """Sets the language of the caller's mails."""
        async with self._database.authenticate() as db:
            await repository.set_language(db, person.user_id, language)
        return await self.contact(person)

    async def _user(self, person: Person) -> User:
        async with self._database.authenticate() as db:
            user = await people.get_user(db, person.user_id)
        if user is None:
            raise Unauthenticated
        return user
