"""All SQL of the catalog. Row-level security shows shared models and the person's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, LargeBinary, Text, cast, column, func, literal, select
from sqlalchemy.dialects.postgresql import JSON, JSONB, aggregate_order_by

from invokeai_saas.catalog.schemas import Direction, ModelOrder, OwnModel
from invokeai_saas.catalog.tables import Model
from invokeai_saas.db.session import ReadSession, WriteSession

_ORDERS: dict[ModelOrder, tuple[Any, ...]] = {
    "default": (Model.type, Model.base, Model.name, Model.format),
    "type": (Model.type,),
    "base": (Model.base,),
    "name": (Model.name,),
    "format": (Model.format,),
    "size": (Model.file_size,),
    "created_at": (Model.created_at,),
    "updated_at": (Model.updated_at,),
    "path": (Model.path,),
}


@dataclass(frozen=True)
class ModelFilter:
    """Exact matches; None matches all."""

    bases: Sequence[str] | None = None
    type: str | None = None
    name: str | None = None
    format: str | None = None
    hash: str | None = None
    missing: bool | None = None
    order_by: ModelOrder = "name"
    direction: Direction = "ASC"

    def conditions(self) -> list[ColumnElement[bool]]:
        exact: list[tuple[Any, Any]] = [
            (Model.type, self.type),
            (Model.name, self.name),
            (Model.format, self.format),
            (Model.hash, self.hash),
            (Model.missing, self.missing),
        ]
        found = [column == value for column, value in exact if value is not None]
        return [*found, Model.base.in_(self.bases)] if self.bases else found


async def models_json(db: ReadSession, wanted: ModelFilter) -> bytes:
    """`{"models": [record, ...]}` as the database wrote it."""
    columns = _ORDERS[wanted.order_by]
    order = [column.desc() if wanted.direction == "DESC" else column.asc() for column in columns]
    records = func.json_agg(aggregate_order_by(cast(Model.record, JSON), *order, Model.key))
    text = literal('{"models":') + func.coalesce(cast(records, Text), "[]") + literal("}")
    statement = select(func.convert_to(text, "UTF8", type_=LargeBinary)).where(*wanted.conditions())
    return bytes((await db.execute(statement)).scalar_one())


async def first_model(db: ReadSession, wanted: ModelFilter) -> Model | None:
    """The first match by name."""
    statement = select(Model).where(*wanted.conditions()).order_by(Model.name, Model.key).limit(1)
    return (await db.execute(statement)).scalar_one_or_none()


async def keys_by_name(db: ReadSession | WriteSession, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """(type, name, key) of the models that have one of the names."""
    statement = select(Model.type, Model.name, Model.key).where(Model.name.in_(names)).order_by(Model.key)
    return [(row[0], row[1], row[2]) for row in await db.execute(statement)]


async def models_by_key(db: ReadSession | WriteSession, keys: Sequence[str]) -> list[Model]:
    if not keys:
        return []
    return list((await db.execute(select(Model).where(Model.key.in_(keys)))).scalars())


class Deleted(NamedTuple):
    """What a deleted model leaves behind. Parameters: files: keys of the object store."""

    files: list[str]


async def change_model(db: WriteSession, key: str, changes: dict[str, Any]) -> dict[str, Any] | None:
    """The record as it is now; None for a model that the person may not change."""
    call = func.catalog_change_model(key, cast(changes, JSONB))
    record: dict[str, Any] | None = (await db.execute(select(call))).scalar_one_or_none()
    return record


async def set_cover(db: WriteSession, key: str, cover: str | None, address: str | None) -> str | None:
    """The cover's file before. Parameters: cover: key of the file; address: what the page loads it by."""
    call = func.catalog_set_cover(key, cover, address).table_valued("found", "old_cover")
    row = (await db.execute(select(call.c.old_cover))).one_or_none()
    return row[0] if row else None


async def delete_model(db: WriteSession, key: str) -> Deleted | None:
    """None for a model that the person may not delete."""
    call = func.catalog_delete_model(key).table_valued("found", column("files", JSONB), "cover_key")
    row = (await db.execute(select(call.c.files, call.c.cover_key))).one_or_none()
    if row is None:
        return None
    return Deleted([str(file["key"]) for file in row[0]] + ([row[1]] if row[1] else []))


async def own_models(db: ReadSession) -> list[OwnModel]:
    """The person's own models, by name."""
    shown = [getattr(Model, name) for name in OwnModel.model_fields]
    own = select(*shown).where(Model.user_id.is_not(None)).order_by(func.lower(Model.name), Model.key)
    return [OwnModel.model_validate(row) for row in await db.execute(own)]


async def own_bytes(db: ReadSession | WriteSession) -> int:
    """Files of the person's own models, in bytes. Shared ones have no owner."""
    total = func.coalesce(func.sum(Model.file_size), 0)
    return int((await db.execute(select(total).where(Model.user_id.is_not(None)))).scalar_one())
