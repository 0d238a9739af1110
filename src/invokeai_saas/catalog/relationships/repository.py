"""All SQL of relationships. Row-level security shows shared links and the person's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import func, select

from invokeai_saas.catalog.relationships.tables import ModelRelationship
from invokeai_saas.db.session import ReadSession, WriteSession

Answer = Literal["done", "unknown", "refused"]


async def related_keys(db: ReadSession, keys: Sequence[str]) -> list[str]:
    """Keys of the models that are linked with any of these, each once, in order."""
    one, other = ModelRelationship.model_key_1, ModelRelationship.model_key_2
    first = select(other.label("key")).where(one.in_(keys))
    both = first.union(select(one.label("key")).where(other.in_(keys))).subquery()
    return list((await db.scalars(select(both.c.key).order_by(both.c.key))).all())


async def relate(db: WriteSession, one: str, other: str) -> Answer:
    answer: Answer = (await db.execute(select(func.catalog_relate(one, other)))).scalar_one()
    return answer


async def unrelate(db: WriteSession, one: str, other: str) -> Answer:
    answer: Answer = (await db.execute(select(func.catalog_unrelate(one, other)))).scalar_one()
    return answer
