"""How full a person's storage is."""

from __future__ import annotations

from fastapi import APIRouter

from invokeai_saas.gallery import quota
from invokeai_saas.gallery.schemas import StorageUse
from invokeai_saas.identity.access import Reader

router = APIRouter(prefix="/api/v1", tags=["billing"])


@router.get("/account/storage")
async def account_storage(db: Reader) -> StorageUse:
    return await quota.use(db)
