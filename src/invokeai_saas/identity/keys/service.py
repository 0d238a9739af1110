"""API keys: a person makes and revokes them in the page, and programs send them where a log-in's token would stand."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from uuid import UUID

from invokeai_saas.billing import gates
from invokeai_saas.db.session import AuthSessionDb, Database, ReadSession, WriteSession
from invokeai_saas.errors import Conflict, NotFound, Unauthenticated
from invokeai_saas.identity import notices
from invokeai_saas.identity.hashes import KeyedHashes
from invokeai_saas.identity.keys import repository
from invokeai_saas.identity.keys.repository import FoundKey
from invokeai_saas.identity.keys.schemas import KeyDTO, MadeKey, NewKey

BEGINNING = "isk_"
MOST_LIVE = 20  # of one person
_FORM = re.compile(r"isk_[A-Za-z0-9_-]{49}").fullmatch  # 32 random bytes and their seal
_SHOWN = 8  # characters of a key that its person sees again
# As with sessions: what another process was told takes so long to be felt here.
_TRUST_SECONDS = 5.0
_TRUST_SIZE = 20_000


class ApiKeys:
    """Keys of the process's callers.

    Parameters:
        database: pools of the API process.
        hashes: what keys are found by.
    """

    def __init__(self, database: Database, hashes: KeyedHashes) -> None:
        self._database = database
        self._hashes = hashes
        self._trusted: dict[bytes, tuple[float, FoundKey]] = {}

    async def holder(self, key: str) -> FoundKey:
        """Whose key it is.

        Raises:
            Unauthenticated: there is no such key, or it is revoked or expired (code `key_invalid`).
            NotInPlan: its person's plan has no API keys.
        """
        found = await self._known(key)
        if found is None:
            raise Unauthenticated(
                "This API key is not valid: it was revoked, has expired, or never was. Make another one on your"
                " account page.",
                code="key_invalid",
            )
        if not found.in_plan:
            raise await gates.refusal_now(self._database, "api_keys")
        return found

    async def _known(self, key: str) -> FoundKey | None:
        if not _FORM(key) or not secrets.compare_digest(self._hashes.seal(key[:-6]), key[-6:]):
            return None
        digest = self._hashes.key(key)
        until, found = self._trusted.get(digest, (0.0, None))
        if found is not None and until > time.monotonic():
            return found
        async with self._database.authenticate() as db:
            found = await repository.find(db, digest)
        if found is None:
            self._trusted.pop(digest, None)
            return None
        if len(self._trusted) >= _TRUST_SIZE:
            self._trusted.clear()
        self._trusted[digest] = (time.monotonic() + _TRUST_SECONDS, found)
        return found

    async def alive(self, key_ids: Collection[UUID]) -> set[UUID]:
        """Those of the keys that are good for something now."""
        async with self._database.authenticate() as db:
            return await repository.alive(db, key_ids)

    def forget(self, key_ids: Collection[UUID]) -> None:
        """Keys that have just been revoked are believed no more."""
        gone = [digest for digest, (_, found) in self._trusted.items() if found.id in key_ids]
        for digest in gone:
            del self._trusted[digest]

    async def make(self, db: WriteSession, wish: NewKey) -> MadeKey:
        """A new key of the caller's. It is in the answer and nowhere else; a mail tells them that it was made.

        Raises:
            NotInPlan: the plan has no API keys.
            Conflict: there are as many as there may be (code `too_many_keys`).
        """
        await gates.require(db, "api_keys")
        await repository.take_turn(db)
        if await repository.count_live(db) >= MOST_LIVE:
            raise Conflict(
                f"You have {MOST_LIVE} API keys, and there may not be more. Revoke one first.",
                code="too_many_keys",
            )
        body = BEGINNING + secrets.token_urlsafe(32)
        key = body + self._hashes.seal(body)
        days = wish.expires_in_days
        expires = datetime.now(UTC) + timedelta(days=days) if days is not None else None
        made = await repository.add(db, wish.name, key[:_SHOWN], self._hashes.key(key), expires)
        await notices.key_made(db, made.id, wish.name, key[:_SHOWN], made.created_at)
        return MadeKey(
            id=made.id,
            name=wish.name,
            prefix=key[:_SHOWN],
            key=key,
            created_at=made.created_at,
            expires_at=expires,
        )


async def live_keys(db: ReadSession) -> list[KeyDTO]:
    """The caller's keys that are neither revoked nor expired, whatever their plan says of them."""
    return [KeyDTO.model_validate(row) for row in await repository.live(db)]


async def revoke(db: WriteSession, key_id: UUID) -> None:
    """Ends a key of the caller's. Raises NotFound."""
    if not await repository.revoke(db, key_id):
        raise NotFound("This API key")


async def end_all(db: AuthSessionDb, user_id: UUID) -> list[UUID]:
    """Ends all keys of somebody who is not to come in any more; answers which."""
    return await repository.end_all(db, user_id)
