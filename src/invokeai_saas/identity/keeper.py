"""Who keeps passwords: the settings say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from invokeai_saas.db.session import Database
from invokeai_saas.identity.credentials import Credentials, LocalCredentials
from invokeai_saas.identity.hashes import KeyedHashes
from invokeai_saas.identity.recovery.service import Recovery
from invokeai_saas.settings import Settings

if TYPE_CHECKING:
    from invokeai_saas.identity.hosted.service import HostedLogIn
    from invokeai_saas.identity.service import Identity

Ended = Callable[[Collection[UUID]], Awaitable[None]]


class Keeper(Protocol):
    """The parts of identity that differ."""

    credentials: Credentials

    def recovery(self, ended: Ended) -> Recovery:
        """Verification and reset. Parameters: ended: told which sessions a new password has ended."""

    def hosted(self, identity: Identity) -> HostedLogIn | None:
        """Log-ins on a page of whoever keeps passwords; None where there is none."""

    async def close(self) -> None:
        """Lets go of connections."""


class LocalKeeper:
    """Our own database."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self.credentials: Credentials = LocalCredentials(database)

    def recovery(self, ended: Ended) -> Recovery:
        return Recovery(self._database, self._settings, ended)

    def hosted(self, identity: Identity) -> HostedLogIn | None:  # noqa: ARG002
        return None

    async def close(self) -> None:
        """The pools are the process's own."""


class CognitoKeeper:
    """The settings' user pool. Raises SetupError where the library for it is not installed."""

    def __init__(self, settings: Settings, database: Database) -> None:
        from invokeai_saas.identity.cognito.credentials import CognitoCredentials
        from invokeai_saas.identity.cognito.hosted import HostedPages
        from invokeai_saas.identity.cognito.pool import UserPool
        from invokeai_saas.identity.cognito.tokens import CognitoTokens

        self._settings, self._database = settings, database
        self._pool, self._tokens = UserPool(settings), CognitoTokens(settings)
        self._pages = HostedPages(settings) if settings.cognito_hosted_url else None
        self._cognito = CognitoCredentials(database, self._pool, self._tokens)
        self.credentials: Credentials = self._cognito

    def recovery(self, ended: Ended) -> Recovery:
        from invokeai_saas.identity.cognito.recovery import CognitoRecovery

        return CognitoRecovery(self._database, self._settings, ended, self._pool)

    def hosted(self, identity: Identity) -> HostedLogIn | None:
        from invokeai_saas.identity.hosted.service import HostedLogIn

        if self._pages is None:
            return None
        hashes = KeyedHashes(self._settings.identity_secret.get_secret_value())
        return HostedLogIn(identity, self._pages, self._cognito, hashes)

    async def close(self) -> None:
        if self._pages is not None:
            await self._pages.close()
        await self._tokens.close()
        await self._pool.close()


def open_keeper(settings: Settings, database: Database) -> Keeper:
    """Cognito where a user pool is named; else our own database."""
    return (
        CognitoKeeper(settings, database)
        if settings.cognito_user_pool_id
        else LocalKeeper(settings, database)
    )
