"""Who keeps passwords and says whether one fits: our own database on one machine, Cognito on AWS.

Sessions, refresh and log-out are ours with either: the page's tokens come from our issuer, so that a log-out works at
once and everywhere, and a person's rights are rows of our database.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol
from uuid import UUID, uuid4

from invokeai_saas.db.session import Database
from invokeai_saas.identity import passwords, repository
from invokeai_saas.identity.tables import User


class Registered(NamedTuple):
    """A new person's credential.

    Parameters:
        sub: what whoever keeps it calls the person.
        password_hash: to be kept with us; None where it lies elsewhere.
    """

    sub: str
    password_hash: str | None


class Address(NamedTuple):
    """Parameters:
    verified: whether it is known to be theirs.
    barred: whether whoever keeps the password lets them in no more.
    """

    email: str
    verified: bool
    barred: bool = False


class Proven(NamedTuple):
    """Somebody whose password fitted, as whoever keeps it knows them.

    Parameters:
        user: whom we know by the `sub`; None at the first log-in of somebody who signed up elsewhere.
        verified: whether the address is known to be theirs.
    """

    user: User | None
    sub: str
    email: str
    name: str
    verified: bool


class Credentials(Protocol):
    """Passwords, as Identity asks about them."""

    sends_mail: bool  # whether it asks people by itself to confirm their address

    async def register(self, email: str, password: str, name: str) -> Registered:
        """Takes a new person's password.

        Raises:
            Conflict: the address is taken (code `email_taken`).
            InvalidInput: the password does not do.
        """

    async def prove(self, email: str, password: str) -> Proven | None:
        """Whose password it is; None for a wrong address and a wrong password alike."""

    async def fits(self, user: User, password: str) -> bool:
        """Whether it is this person's."""

    async def change(self, user: User, old: str, new: str) -> str | None:
        """Changes the password, which has been found to fit; answers the hash where we keep it."""

    async def address(self, sub: str) -> Address | None:
        """A person's address now, where it can change without us; None where it cannot, or nobody has this name."""


class LocalCredentials:
    """Passwords in our own database, as argon2id hashes. Parameters: database: pools of the API process."""

    sends_mail = False

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(self, email: str, password: str, name: str) -> Registered:  # noqa: ARG002 - the row says the rest
        return Registered(str(uuid4()), await passwords.hash_password(password))

    async def prove(self, email: str, password: str) -> Proven | None:
        async with self._database.authenticate() as db:
            found = await repository.find_by_email(db, email)
        fits = await passwords.verify_password(found.password_hash if found else None, password)
        if found is None or not fits:
            return None
        user = found.user
        return Proven(user, user.cognito_sub, email, user.name, user.email_verified_at is not None)

    async def fits(self, user: User, password: str) -> bool:
        return await passwords.verify_password(await self._stored(user.id), password)

    async def change(self, user: User, old: str, new: str) -> str | None:  # noqa: ARG002
        return await passwords.hash_password(new)

    async def address(self, sub: str) -> Address | None:  # noqa: ARG002 - our own rows have it
        return None

    async def _stored(self, user_id: UUID) -> str | None:
        async with self._database.authenticate() as db:
            return await repository.get_password_hash(db, user_id)
