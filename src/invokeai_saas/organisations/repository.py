"""All SQL of organisations on the API's side: a person reads their own and writes nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from asyncpg import Connection  # type: ignore[import-untyped]
from sqlalchemy import RowMapping, Text, Uuid, column, func, select

from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.organisations.tables import Organisation, OrganisationMember

Session = ReadSession | WriteSession


async def own(session: Session) -> Organisation | None:
    """The caller's."""
    return (await session.execute(select(Organisation))).scalar_one_or_none()


async def members(session: Session) -> list[RowMapping]:
    """The people of the caller's organisation, the owner first."""
    names: Any = func.organisation_names().table_valued(column("user_id", Uuid), column("name", Text))
    statement = (
        select(OrganisationMember.user_id, OrganisationMember.role, names.c.name)
        .join(names, names.c.user_id == OrganisationMember.user_id)
        .order_by(OrganisationMember.role.desc(), func.lower(names.c.name), OrganisationMember.user_id)
    )
    return list((await session.execute(statement)).mappings())


async def names(session: Session) -> dict[UUID, str]:
    """Names of the people of the caller's organisation."""
    found: Any = func.organisation_names().table_valued(column("user_id", Uuid), column("name", Text))
    return {row[0]: row[1] for row in await session.execute(select(found.c.user_id, found.c.name))}


async def names_now(connection: Connection) -> dict[UUID, str]:
    """The same, straight from the driver."""
    rows = await connection.fetch("SELECT user_id, name FROM organisation_names()")
    return {row["user_id"]: row["name"] for row in rows}


async def sharing_people(session: Session) -> list[UUID]:
    """Whose shared things the caller may see now, themselves included; none while nothing is shared."""
    people: Any = func.sharing_people().table_valued(column("user_id", Uuid))
    return list((await session.execute(select(people.c.user_id))).scalars())
