"""A person's API keys. Who has only a key cannot make, see or revoke any."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Depends

from invokeai_saas.identity.access import LogIn, Reader, Shared, Writer, logged_in
from invokeai_saas.identity.keys import service
from invokeai_saas.identity.keys.schemas import KeyDTO, MadeKey, NewKey

router = APIRouter(prefix="/api/v1/keys", tags=["API keys"], dependencies=[Depends(logged_in)])
_PER_MINUTE = 20  # made by one person


@router.post("", status_code=201)
async def make_key(wish: NewKey, person: LogIn, shared: Shared, db: Writer) -> MadeKey:
    """A new key. It is shown in this answer and never again."""
    await shared.limiter.check(str(person.user_id), "keys", _PER_MINUTE)
    return await shared.identity.keys.make(db, wish)


@router.get("")
async def list_keys(db: Reader) -> list[KeyDTO]:
    return await service.live_keys(db)


@router.delete("/{key_id}", status_code=204)
async def revoke_key(key_id: UUID, shared: Shared, db: Writer) -> None:
    """Ends a key, and the sockets that it opened."""
    await service.revoke(db, key_id)
    db.after_commit(lambda: shared.identity.ended([key_id]))
