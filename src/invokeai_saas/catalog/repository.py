"""All SQL of the catalog. Row-level security shows shared models and the person's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Text, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSON, aggregate_order_by

from invokeai_saas.catalog.schemas import Direction, ModelOrder
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
    order_by: ModelOrder = "name"
    direction: Direction = "ASC"

    def conditions(self) -> list[ColumnElement[bool]]:
        exact = [
            (Model.type, self.type),
            (Model.name, self.name),
            (Model.format, self.format),
            (Model.hash, self.hash),
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
