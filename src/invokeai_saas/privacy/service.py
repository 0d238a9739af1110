"""The rules of exports and of asking to be deleted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import Conflict, NotFound, RateLimited
from invokeai_saas.mail import service as mail
from invokeai_saas.privacy import repository
from invokeai_saas.privacy.runner import LEASE
from invokeai_saas.privacy.schemas import DeletionDTO, ExportDTO, Status
from invokeai_saas.privacy.tables import PrivacyExport
from invokeai_saas.services import Services
from invokeai_saas.settings import Settings
from invokeai_saas.storage.keys import export_key
from invokeai_saas.storage.media import MediaSigner

_EVERY = timedelta(days=1)
_SHOWN = 20


async def request_export(db: WriteSession, media: MediaSigner) -> ExportDTO:
    """Records an export that is to be written once this is committed.

    Raises:
        Conflict: one is under way (code `export_under_way`).
        RateLimited: there was one within a day.
    """
    await repository.lock_exports(db)
    now = await repository.now(db)
    for found in await repository.exports(db, _SHOWN):
        if found.state in ("pending", "running"):
            raise Conflict("An export is being written. Wait until it is ready.", code="export_under_way")
        if found.state != "failed" and found.created_at > now - _EVERY:
            wait = (found.created_at + _EVERY - now).total_seconds()
            raise RateLimited(int(wait) + 1, "There can be one export a day. Fetch the last one meanwhile.")
    export_id = uuid4()
    await repository.add_export(db, export_id, export_key(db.user_id, export_id), LEASE)
    return await export(db, media, export_id)


async def exports(db: ReadSession, media: MediaSigner) -> list[ExportDTO]:
    """The caller's last ones."""
    now = await repository.now(db)
    return [_dto(found, media, now) for found in await repository.exports(db, _SHOWN)]


async def export(db: ReadSession | WriteSession, media: MediaSigner, export_id: UUID) -> ExportDTO:
    """One of the caller's. Raises NotFound."""
    found = await repository.export(db, export_id)
    if found is None:
        raise NotFound("This export")
    return _dto(found, media, await repository.now(db))


def _dto(found: PrivacyExport, media: MediaSigner, now: datetime) -> ExportDTO:
    over = found.state == "ready" and found.expires_at is not None and found.expires_at <= now
    status = cast(Status, "expired" if over else found.state)
    return ExportDTO(
        id=found.id,
        status=status,
        created_at=found.created_at,
        finished_at=found.finished_at,
        expires_at=found.expires_at,
        bytes=found.file_size_bytes,
        url=media.path(found.s3_key) if status == "ready" and found.s3_key else None,
    )


async def request_deletion(db: WriteSession, settings: Settings, role: str) -> DeletionDTO:
    """Writes down that the caller wants to be deleted, and tells them by mail. Their password has been asked for.

    A plan that they pay for is ended at Stripe by the scheduler, within seconds; the deletion begins when the grace is
    over. Asked again, it stays as it was asked first.

    Raises:
        Conflict: they lead an organisation of others (code `organisation_owner`), or are of our staff, whose acts the
            log names them for (code `staff_account`).
    """
    if role == "admin":
        raise Conflict(
            "You are of our staff. Have your role ended first; then your account can be deleted.",
            code="staff_account",
        )
    led = await repository.led_organisation(db)
    if led is not None:
        raise Conflict(
            f"You lead the organisation {led!r}, which others are in. Write to us: we hand it over to one of them, or"
            " end it. Then your account can be deleted.",
            code="organisation_owner",
            data={"organisation": led},
        )
    asked = await repository.request_deletion(db, timedelta(days=settings.deletion_grace_days))
    told = {"delete_at": asked.delete_at}
    await mail.enqueue(db, "deletion_requested", asked.requested_at.isoformat(), told)
    return DeletionDTO(requested_at=asked.requested_at, delete_at=asked.delete_at)


async def deletion(db: ReadSession) -> DeletionDTO:
    """What the caller has asked for, if anything."""
    found = await repository.deletion(db)
    return DeletionDTO(requested_at=found.requested_at, delete_at=found.delete_at) if found else DeletionDTO()


async def take_back(db: WriteSession) -> DeletionDTO:
    """The caller stays. What has ended meanwhile, such as a plan, has ended.

    Raises:
        Conflict: the deletion has begun (code `deletion_begun`).
    """
    if not await repository.take_back(db):
        raise Conflict("The deletion has begun and cannot be taken back.", code="deletion_begun")
    return DeletionDTO()


async def limit_passwords(shared: Services, user_id: UUID) -> None:
    """As many tries a minute as at a log-in. Raises RateLimited."""
    await shared.limiter.check(str(user_id), "password", shared.settings.login_attempts_per_minute)
