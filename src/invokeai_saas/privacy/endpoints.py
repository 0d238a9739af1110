"""What a person may ask of us about their data: a copy of all of it, and its end."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Depends

from invokeai_saas.identity.access import LogIn, Reader, Shared, Writer, logged_in
from invokeai_saas.privacy import service
from invokeai_saas.privacy.schemas import DeletionDTO, DeletionRequest, ExportDTO

router = APIRouter(prefix="/api/v1/privacy", tags=["privacy"], dependencies=[Depends(logged_in)])


@router.post("/exports", status_code=202)
async def request_export(db: Writer, shared: Shared, after_the_answer: BackgroundTasks) -> ExportDTO:
    """Begins to write an archive of all that the caller has. One at a time, and one a day."""
    asked = await service.request_export(db, shared.media)
    after_the_answer.add_task(shared.exports.start, db.user_id, asked.id)
    return asked


@router.get("/exports")
async def list_exports(db: Reader, shared: Shared) -> list[ExportDTO]:
    """The caller's exports, the newest first."""
    return await service.exports(db, shared.media)


@router.get("/exports/{export_id}")
async def get_export(export_id: UUID, db: Reader, shared: Shared) -> ExportDTO:
    """One of them."""
    return await service.export(db, shared.media, export_id)


@router.post("/deletion", status_code=202)
async def request_deletion(body: DeletionRequest, person: LogIn, db: Writer, shared: Shared) -> DeletionDTO:
    """Has the caller's account deleted, with everything in it, after a time in which it can be taken back."""
    await service.limit_passwords(shared, person.user_id)
    await shared.identity.check_password(person, body.password)
    return await service.request_deletion(db, shared.settings, person.role)


@router.get("/deletion")
async def get_deletion(db: Reader) -> DeletionDTO:
    """Whether the caller is going to be deleted, and when."""
    return await service.deletion(db)


@router.delete("/deletion")
async def take_back_deletion(db: Writer) -> DeletionDTO:
    """Takes it back, until it begins."""
    return await service.take_back(db)
