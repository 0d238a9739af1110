"""What whoever keeps passwords says of a person's address, taken over."""

from __future__ import annotations

from uuid import UUID

import structlog

from invokeai_saas.db.session import AuthSessionDb, Database
from invokeai_saas.identity import repository
from invokeai_saas.identity.credentials import Address
from invokeai_saas.identity.hashes import KeyedHashes
from invokeai_saas.identity.tables import User
from invokeai_saas.mail import service as mail
from invokeai_saas.settings import Settings

log = structlog.get_logger(__name__)


async def address_proven(db: AuthSessionDb, settings: Settings, hashes: KeyedHashes, user_id: UUID) -> None:
    """The first time: the trial that waited for it, and a welcome to somebody who is there."""
    if not await repository.mark_verified(db, user_id):
        return
    if settings.verified_email_required:
        user = await repository.get_user(db, user_id)
        assert user is not None  # whose address has just been confirmed
        await repository.start_trial(db, user_id, hashes.address(user.email))
    await mail.enqueue(db, "welcome", "once", await repository.trial_facts(db, user_id), user_id=user_id)


async def follow(
    database: Database, settings: Settings, hashes: KeyedHashes, user: User, address: Address
) -> None:
    """Takes over an address that was confirmed elsewhere. One that somebody else has here is left to them.

    What the person's trial was begun with stays: another address brings no other one.
    """
    if not address.verified or (address.email == user.email and user.email_verified_at is not None):
        return
    async with database.authenticate() as db:
        changed = address.email != user.email
        if changed and not await repository.change_email(db, user.id, address.email):
            log.warning("address_not_taken_over", tenant=str(user.id), reason="somebody else has it")
            return
        await address_proven(db, settings, hashes, user.id)
    if changed:  # the log has no addresses
        log.info("address_taken_over", tenant=str(user.id))
    await database.wrote(user.id)
