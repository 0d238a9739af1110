"""All SQL of the studio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import String, Text, delete, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.studio.tables import ClientState


async def get_state(session: ReadSession, key: str) -> str | None:
    statement = select(ClientState.value).where(ClientState.key == key)
    return (await session.execute(statement)).scalar_one_or_none()


async def set_state(session: WriteSession, key: str, value: str, max_keys: int, max_bytes: int) -> bool:
    """Stores a value; False when the person has too many other keys, or too much stored under them."""
    others = select(ClientState).where(ClientState.key != key).subquery()
    stored = func.coalesce(func.sum(func.pg_column_size(others.c.value)), 0)
    room = select((func.count() < max_keys) & (stored < max_bytes)).select_from(others).scalar_subquery()
    row = select(literal(session.user_id), literal(key, String), literal(value, Text)).where(room)
    statement = insert(ClientState).from_select(["user_id", "key", "value"], row)
    upsert = statement.on_conflict_do_update(
        index_elements=["user_id", "key"], set_={"value": statement.excluded.value}
    )
    result = await session.execute(upsert.returning(ClientState.key))
    return result.first() is not None


async def set_states(session: WriteSession, values: Mapping[str, str], max_keys: int, max_bytes: int) -> bool:
    """Stores several values at once; False, and none is stored, where `set_state` would refuse one."""
    keys = list(values)
    others = select(ClientState).where(ClientState.key.not_in(keys)).subquery()
    stored = func.coalesce(func.sum(func.pg_column_size(others.c.value)), 0)
    room = select((func.count() + len(keys) <= max_keys) & (stored < max_bytes)).select_from(others)
    given = (
        func.unnest(literal(keys, ARRAY(Text)), literal(list(values.values()), ARRAY(Text)))
        .table_valued("key", "value")
        .render_derived(name="given")
    )
    rows = select(literal(session.user_id), given.c.key, given.c.value).where(room.scalar_subquery())
    statement = insert(ClientState).from_select(["user_id", "key", "value"], rows)
    upsert = statement.on_conflict_do_update(
        index_elements=["user_id", "key"], set_={"value": statement.excluded.value}
    )
    return (await session.execute(upsert.returning(ClientState.key))).first() is not None


async def get_states(session: ReadSession, keys: Sequence[str]) -> dict[str, str]:
    """The values of those keys that have one."""
    statement = select(ClientState.key, ClientState.value).where(ClientState.key.in_(keys))
    return {row[0]: row[1] for row in await session.execute(statement)}


async def delete_state(session: WriteSession, key: str | None = None) -> None:
    """Forgets one key, or all."""
    statement = delete(ClientState)
    await session.execute(statement if key is None else statement.where(ClientState.key == key))


async def state_keys(session: ReadSession, prefix: str) -> list[str]:
    statement = select(ClientState.key).where(ClientState.key.startswith(prefix, autoescape=True))
    return list((await session.execute(statement.order_by(ClientState.key))).scalars())
