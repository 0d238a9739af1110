"""Cover pictures of models: small WebP files, made anew from whatever was sent."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from invokeai_saas.billing.service import NOBODY
from invokeai_saas.catalog import repository, rights, service
from invokeai_saas.catalog.tables import Model
from invokeai_saas.db.session import WriteSession
from invokeai_saas.errors import NotFound, Unauthenticated
from invokeai_saas.identity.access import MEDIA_COOKIE, media_caller
from invokeai_saas.identity.service import Person
from invokeai_saas.services import Services
from invokeai_saas.storage.answers import stored_file
from invokeai_saas.storage.decoding import small_picture
from invokeai_saas.storage.keys import model_cover_key
from invokeai_saas.storage.objects import ObjectStore
from invokeai_saas.storage.recording import unless_recorded

_MAX_AGE = 31_536_000  # seconds; another cover has another address
_SECONDS = 10.0  # that putting files away may take after the commit


async def replace_cover(shared: Services, person: Person, key: str, data: bytes) -> None:
    """Gives a model another cover. No transaction is open while it is decoded and stored.

    Parameters:
        data: a picture file.

    Raises:
        UnsupportedMediaType: it is no picture.
        PayloadTooLarge: it has too many pixels.
        NotInPlan, NotFound, Forbidden: see rights.require_changeable.
    """
    async with shared.database.write(person.user_id) as db:
        model = await rights.require_changeable(db, person, key)
    async with shared.decodes.turn(person.user_id):
        small = await asyncio.to_thread(small_picture, data)
    stored = model_cover_key(model.user_id, f"{model.key}-{secrets.token_hex(8)}")
    address = f"api/v2/models/i/{quote(model.key, safe='')}/image?{secrets.token_hex(8)}"
    # The file first: a row never speaks of a file that is not there.
    async with unless_recorded(shared.objects, [stored]) as recording:
        await shared.objects.put(stored, small, "image/webp")
        async with shared.database.write(person.user_id) as db:
            await rights.require_changeable(db, person, key)
            _forget(db, shared.objects, await repository.set_cover(db, model.key, stored, address))
            recording.done = True


async def remove_cover(db: WriteSession, objects: ObjectStore, person: Person, key: str) -> None:
    """Takes a model's cover away. Raises NotFound when it has none, and what rights.require_changeable raises."""
    model = await rights.require_changeable(db, person, key, giving_up=True)
    if model.cover_key is None:
        raise NotFound("A picture of this model")
    _forget(db, objects, await repository.set_cover(db, model.key, None, None))


async def cover(request: Request, shared: Services, key: str) -> Response:
    """A model's cover, for whoever may see the model: shared ones are everybody's, without log-in too.

    Raises NotFound: no such model, none that the caller may see, or no cover of it.
    """
    async with shared.database.read(await _who(request, shared)) as db:
        model: Model | None = (await service.visible_models(db, [key])).get(key)
    if model is None or model.cover_key is None:
        raise NotFound("A picture of this model")
    return await stored_file(request, shared.objects, model.cover_key, max_age=_MAX_AGE)


async def _who(request: Request, shared: Services) -> UUID:
    """An `<img>` sends the media cookie at best; whose has run out sees what nobody sees."""
    try:
        return (await media_caller(request, shared, request.cookies.get(MEDIA_COOKIE))).user_id
    except Unauthenticated:
        return NOBODY


def _forget(db: WriteSession, objects: ObjectStore, key: str | None) -> None:
    if key is not None:
        db.after_commit(partial(objects.delete, [key]), _SECONDS)
