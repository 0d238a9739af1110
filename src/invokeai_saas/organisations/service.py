"""The rules of organisations: who is of one, and whether its people see what they share.

An organisation is one customer. Its owner pays, so the owner's plan counts, whatever the plans of the others: while it
is alive and has collaboration, the organisation shares. That is asked of the rows each time (`sharing_people` in the
database), so access ends with the plan, and with the membership.
"""

from __future__ import annotations

from uuid import UUID

from asyncpg import Connection  # type: ignore[import-untyped]

from invokeai_saas.billing import gates
from invokeai_saas.organisations import repository
from invokeai_saas.organisations.repository import Session
from invokeai_saas.organisations.schemas import Member, OrganisationDTO


async def own(session: Session) -> OrganisationDTO | None:
    """The caller's organisation with its people; None for who has none."""
    organisation = await repository.own(session)
    if organisation is None:
        return None
    return OrganisationDTO(
        id=organisation.id,
        name=organisation.name,
        created_at=organisation.created_at,
        sharing=bool(await repository.sharing_people(session)),
        members=[Member.model_validate(dict(row)) for row in await repository.members(session)],
    )


async def require_sharing(session: Session) -> None:
    """Refuses who has nobody to share with.

    Raises:
        NotInPlan: there is no organisation, or its owner's plan has no collaboration; names the plans that have it.
    """
    if not await repository.sharing_people(session):
        raise await gates.refusal(session, "collaboration")


async def names(session: Session) -> dict[UUID, str]:
    """Names of the people of the caller's organisation."""
    return await repository.names(session)


async def names_now(connection: Connection) -> dict[UUID, str]:
    """The same for a read that goes straight to the driver (`db.direct`)."""
    return await repository.names_now(connection)


async def colleagues(session: Session) -> list[UUID]:
    """Who else sees what the caller shares, now."""
    return [person for person in await repository.sharing_people(session) if person != session.user_id]
