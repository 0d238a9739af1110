"""The rules of style presets.

Each is its owner's to change. With `is_public` the people of the owner's organisation see it; those that InvokeAI ships
are everybody's to read.
"""

from __future__ import annotations

from uuid import UUID

from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.edge import service as edge
from invokeai_saas.errors import Conflict, Forbidden, NotFound
from invokeai_saas.services import Services
from invokeai_saas.settings import MEBIBYTE
from invokeai_saas.storage.keys import kept_picture_key
from invokeai_saas.storage.media import MediaSigner
from invokeai_saas.studio.bodies import checked, parse_json
from invokeai_saas.studio.presets import files, repository
from invokeai_saas.studio.presets.repository import Session
from invokeai_saas.studio.presets.schemas import (
    MAX_PRESETS,
    MAX_PROMPT_CHARS,
    MAX_STORED_BYTES,
    Answer,
    PresetForm,
    PresetRow,
)
from invokeai_saas.studio.presets.tables import StylePreset
from invokeai_saas.studio.shipped import OWNER, Shipped, ShippedPreset

_DATA = ("data",)


def parse_form(data: str) -> PresetForm:
    """The `data` field of a form.

    Raises:
        InvalidInput, RequestValidationError: it is no preset; both name the field.
        Forbidden: one of InvokeAI's own is to be made.
    """
    form = checked(PresetForm, parse_json(data, _DATA), _DATA, MAX_PROMPT_CHARS)
    if form.type == "default":
        raise Forbidden("Presets of the type 'default' come with InvokeAI. Yours have the type 'user'.")
    return form


async def all_presets(shared: Services, session: ReadSession) -> list[Answer]:
    """One's own, those that colleagues share, and those that InvokeAI ships, by name."""
    rows = [*await repository.all_presets(session), *await repository.shared_presets(session)]
    own = [_answer(preset, shared.media) for preset in rows]
    found = [*own, *(_shipped_answer(preset, shared.media) for preset in shared.shipped.presets.values())]
    return sorted(found, key=lambda preset: str(preset["name"]).lower())


async def get(shared: Services, session: ReadSession, preset_id: str) -> Answer:
    """Raises NotFound."""
    shipped = shared.shipped.presets.get(preset_id)
    if shipped:
        return _shipped_answer(shipped, shared.media)
    return _answer(await _find(session, preset_id), shared.media)


async def image_key(shared: Services, session: ReadSession, preset_id: str) -> str:
    """Key of a preset's image. Raises NotFound, also when it has none."""
    shipped = shared.shipped.presets.get(preset_id)
    key = shipped.picture if shipped else (await _find(session, preset_id)).image_key
    if key is None:
        raise NotFound("An image of this style preset")
    return key


async def create(shared: Services, session: WriteSession, form: PresetForm, picture: bytes | None) -> Answer:
    """Keeps a new preset. Raises Conflict when there is no room. Parameters: picture: WebP."""
    await _require_room(session, [form])
    key = await _store(shared, session, picture)
    (preset,) = await repository.add(session, [_columns(form) | {"image_key": key}])
    return _answer(preset, shared.media)


async def update(
    shared: Services, session: WriteSession, preset_id: str, form: PresetForm, picture: bytes | None
) -> Answer:
    """Replaces a preset; without a picture it has none from then on, as in InvokeAI.

    Raises:
        NotFound: it is not the person's.
        Forbidden: it comes with InvokeAI, or is a colleague's.
        Conflict: there is no room for what was added.
    """
    old = await _require_own(shared.shipped, session, preset_id)
    await _require_room(session, [form], old.id)
    forgotten = old.image_key
    key = await _store(shared, session, picture)
    preset = await repository.change(session, old.id, _columns(form) | {"image_key": key})
    await _forget(shared, session, forgotten)
    return _answer(preset, shared.media)


async def delete(shared: Services, session: WriteSession, preset_id: str) -> None:
    """Deletes a preset and its image. Raises NotFound, Forbidden."""
    preset = await _require_own(shared.shipped, session, preset_id)
    await repository.remove(session, preset.id)
    await _forget(shared, session, preset.image_key)


async def import_rows(session: WriteSession, rows: list[PresetRow]) -> None:
    """Keeps all presets of a file, or none. Raises Conflict when there is no room."""
    await _require_room(session, rows)
    if rows:
        await repository.add(session, [row.model_dump() for row in rows])


async def export(session: ReadSession) -> str:
    """One's own presets as CSV."""
    return files.as_csv(await repository.all_presets(session))


async def _require_own(shipped: Shipped, session: WriteSession, preset_id: str) -> StylePreset:
    if preset_id in shipped.presets:
        raise Forbidden("This style preset comes with InvokeAI and can't be changed. Make a copy of it.")
    wanted = _uuid(preset_id)
    preset = await repository.get(session, wanted, locked=True)
    if preset is None and await repository.get_shared(session, wanted) is not None:
        raise Forbidden("This style preset is a colleague's. Only they can change it; make a copy of it.")
    if preset is None:
        raise NotFound("This style preset")
    return preset


async def _find(session: Session, preset_id: str) -> StylePreset:
    """One's own, or one that a colleague shares. Raises NotFound."""
    wanted = _uuid(preset_id)
    preset = await repository.get(session, wanted) or await repository.get_shared(session, wanted)
    if preset is None:
        raise NotFound("This style preset")
    return preset


def _uuid(preset_id: str) -> UUID:
    try:
        return UUID(preset_id)
    except ValueError as error:
        raise NotFound("This style preset") from error


async def _require_room(
    session: WriteSession, more: list[PresetForm] | list[PresetRow], instead_of: UUID | None = None
) -> None:
    count, stored = await repository.held(session, instead_of)
    size = sum(len(f"{p.name}{p.positive_prompt}{p.negative_prompt}".encode()) for p in more)
    if count + len(more) > MAX_PRESETS or stored + size > MAX_STORED_BYTES:
        raise Conflict(
            f"At most {MAX_PRESETS} style presets and {MAX_STORED_BYTES // MEBIBYTE} MiB of them can be kept."
            " Delete some first.",
            code="style_presets_full",
        )


async def _store(shared: Services, session: WriteSession, picture: bytes | None) -> str | None:
    if picture is None:
        return None
    key = kept_picture_key(session.user_id, "style_presets")
    await shared.objects.put(key, picture, "image/webp")
    return key


async def _forget(shared: Services, session: WriteSession, key: str | None) -> None:
    await edge.remove(session, shared.objects, [key] if key else [])


def _columns(form: PresetForm) -> Answer:
    return form.model_dump(exclude={"type"})


def _answer(preset: StylePreset, signer: MediaSigner) -> Answer:
    """A person's preset as InvokeAI's StylePresetRecordWithImage."""
    return {
        "id": str(preset.id),
        "user_id": str(preset.user_id),
        "name": preset.name,
        "preset_data": _prompts(preset),
        "type": "user",
        "is_public": preset.is_public,
        "image": signer.path(preset.image_key) if preset.image_key else None,
    }


def _shipped_answer(preset: ShippedPreset, signer: MediaSigner) -> Answer:
    return {
        "id": preset.id,
        "user_id": OWNER,
        "name": preset.name,
        "preset_data": _prompts(preset),
        "type": "default",
        "is_public": False,
        "image": signer.path(preset.picture) if preset.picture else None,
    }


def _prompts(preset: StylePreset | ShippedPreset) -> dict[str, str]:
    return {"positive_prompt": preset.positive_prompt, "negative_prompt": preset.negative_prompt}
