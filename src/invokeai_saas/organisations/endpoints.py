"""The organisation of the person who asks."""

from __future__ import annotations

from fastapi import APIRouter

from invokeai_saas.identity.access import Reader
from invokeai_saas.organisations import service
from invokeai_saas.organisations.schemas import OrganisationDTO

router = APIRouter(prefix="/api/v1", tags=["organisations"])


@router.get("/organisation")
async def own_organisation(db: Reader) -> OrganisationDTO | None:
    """null for who is of none."""
    return await service.own(db)
