"""SQL of a person's own exports and deletion, with the API's role and in their name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Table, func, insert, literal, select, text, tuple_, update
from sqlalchemy.types import LargeBinary

from invokeai_saas.db.metadata import all_tables
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.gallery.tables import Image
from invokeai_saas.organisations.tables import Organisation, OrganisationMember
from invokeai_saas.privacy.declared import Held
from invokeai_saas.privacy.tables import AccountDeletion, PrivacyExport

Session = ReadSession | WriteSession
_UNDER_WAY = ("pending", "running")


class Page(NamedTuple):
    """Rows of a table. Parameters: last: the primary key of the last, after which the next page begins."""

    rows: list[dict[str, Any]]
    last: tuple[Any, ...]


async def lock_exports(db: WriteSession) -> None:
    """Until this transaction ends nobody else asks for an export of this person's."""
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended('exports:' || :user_id, 0))")
    await db.execute(lock, {"user_id": str(db.user_id)})


async def add_export(db: WriteSession, export_id: UUID, key: str, lease: timedelta) -> None:
    values = {"id": export_id, "user_id": db.user_id, "s3_key": key, "alive_until": func.now() + lease}
    await db.execute(insert(PrivacyExport).values(values))


async def exports(db: Session, limit: int) -> Sequence[PrivacyExport]:
    """The caller's, the newest first."""
    newest = select(PrivacyExport).order_by(PrivacyExport.created_at.desc(), PrivacyExport.id)
    return (await db.scalars(newest.limit(limit))).all()


async def export(db: Session, export_id: UUID) -> PrivacyExport | None:
    return await db.scalar(select(PrivacyExport).where(PrivacyExport.id == export_id))


async def now(db: Session) -> datetime:
    """The database's clock, by which rows expire."""
    moment: datetime = (await db.execute(select(func.now()))).scalar_one()
    return moment


async def change_export(db: WriteSession, export_id: UUID, **values: Any) -> datetime | None:
    """Changes one that is under way, and answers when it expires; raises LookupError when it is not any more."""
    statement = update(PrivacyExport).where(
        PrivacyExport.id == export_id, PrivacyExport.state.in_(_UNDER_WAY)
    )
    found = (await db.execute(statement.values(**values).returning(PrivacyExport.expires_at))).all()
    if not found:
        raise LookupError(export_id)
    expires: datetime | None = found[0][0]
    return expires


async def picture_bytes(db: Session) -> int:
    """Of the files that an export of pictures and videos has."""
    return int((await db.execute(select(func.coalesce(func.sum(Image.file_size_bytes), 0)))).scalar_one())


async def page(db: Session, held: Held, after: tuple[Any, ...] | None, limit: int) -> Page:
    """Rows of the caller's, in the order of their primary key, with all columns that may leave.

    Row-level security shows a person some rows that are not theirs, such as models for everybody; hence the condition.
    """
    table = all_tables().tables[held.table]
    key = list(table.primary_key.columns)
    statement = select(*_columns(table, held), *(column.label(f"_key_{column.name}") for column in key))
    statement = statement.where(table.c[held.person] == db.user_id)
    if after is not None:
        last = [literal(value, column.type) for value, column in zip(after, key, strict=True)]
        statement = statement.where(tuple_(*key) > tuple_(*last))
    found = [dict(row) for row in (await db.execute(statement.order_by(*key).limit(limit))).mappings()]
    keys = [tuple(row.pop(f"_key_{column.name}") for column in key) for row in found]
    return Page(found, keys[-1] if keys else ())


def _columns(table: Table, held: Held) -> list[Any]:
    return [
        column
        for column in table.columns
        if column.name not in held.without and not isinstance(column.type, LargeBinary)
    ]


async def deletion(db: Session) -> AccountDeletion | None:
    return await db.scalar(select(AccountDeletion))


async def request_deletion(db: WriteSession, grace: timedelta) -> AccountDeletion:
    """Writes it down; one that was asked for before stays as it is."""
    asked = func.privacy_request_deletion(grace.total_seconds()).table_valued("user_id")
    await db.execute(select(asked.c.user_id))
    return (await db.scalars(select(AccountDeletion))).one()


async def take_back(db: WriteSession) -> bool:
    """False when the deletion has begun."""
    return bool((await db.execute(select(func.privacy_take_back()))).scalar_one())


async def led_organisation(db: Session) -> str | None:
    """The name of an organisation of the caller's in which there are others."""
    others = select(OrganisationMember.user_id).where(
        OrganisationMember.organisation_id == Organisation.id, OrganisationMember.user_id != db.user_id
    )
    statement = select(Organisation.name).where(Organisation.user_id == db.user_id, others.exists())
    return await db.scalar(statement)
