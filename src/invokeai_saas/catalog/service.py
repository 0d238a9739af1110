"""Which models a person may see and use."""

from __future__ import annotations

from collections.abc import Iterable

from invokeai_saas.catalog import repository
from invokeai_saas.catalog.repository import ModelFilter
from invokeai_saas.catalog.schemas import OwnModel
from invokeai_saas.catalog.tables import Model
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import NotFound


async def visible_models(db: ReadSession | WriteSession, keys: Iterable[str]) -> dict[str, Model]:
    """Of the models named, those that the person may see, by key. Others' and unknown ones are left out alike."""
    wanted = sorted({key for key in keys if "\0" not in key})
    return {model.key: model for model in await repository.models_by_key(db, wanted)}


async def require_model(db: ReadSession | WriteSession, key: str) -> Model:
    """Raises NotFound for unknown models and for other people's."""
    found = await visible_models(db, [key])
    if key not in found:
        raise NotFound("This model")
    return found[key]


async def require_match(db: ReadSession, wanted: ModelFilter) -> Model:
    """The first model that matches. Raises NotFound."""
    model = await repository.first_model(db, wanted)
    if model is None:
        raise NotFound("This model")
    return model


async def keys_by_name(db: ReadSession | WriteSession, names: Iterable[str]) -> dict[tuple[str, str], str]:
    """Keys of the models with these names that the person may see, by type and name: the first of each."""
    wanted = sorted({name for name in names if "\0" not in name})
    found: dict[tuple[str, str], str] = {}
    for kind, name, key in await repository.keys_by_name(db, wanted) if wanted else []:
        found.setdefault((kind, name), key)
    return found


async def list_models(db: ReadSession, wanted: ModelFilter) -> bytes:
    """The models on offer, as the JSON of the answer."""
    return await repository.models_json(db, wanted)


async def first_main_model(db: ReadSession) -> Model | None:
    """The model that the page chooses by itself: the first main one by name."""
    return await repository.first_model(db, ModelFilter(type="main"))


async def own_models(db: ReadSession) -> list[OwnModel]:
    """The person's own models, by name."""
    return await repository.own_models(db)


async def own_bytes(db: ReadSession | WriteSession) -> int:
    """What the person's own models take of their storage."""
    return await repository.own_bytes(db)


def family(model: Model) -> str:
    """What a plan must include for a model: sd, flux, or custom (a person's own, and every other kind)."""
    if model.user_id is not None:
        return "custom"
    if model.base == "any" or model.base.startswith("sd"):  # "any": helpers such as a VAE or an upscaler
        return "sd"
    return "flux" if model.base.startswith("flux") else "custom"
