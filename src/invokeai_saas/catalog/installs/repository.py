"""All SQL of installs as their people see them. Row-level security keeps each person's apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from invokeai_saas.catalog.installs.tables import ENDED, LIVE, ModelInstall
from invokeai_saas.db.session import ReadSession, WriteSession

Session = ReadSession | WriteSession


async def installs(db: Session) -> Sequence[ModelInstall]:
    """The person's installs, oldest first, as InvokeAI lists them."""
    statement = (
        select(ModelInstall)
        .where(ModelInstall.kind == "install")
        .order_by(ModelInstall.created_at, ModelInstall.id)
    )
    return (await db.scalars(statement)).all()


async def install(db: Session, install_id: int, kind: str = "install") -> ModelInstall | None:
    statement = select(ModelInstall).where(ModelInstall.id == install_id, ModelInstall.kind == kind)
    return (await db.scalars(statement.execution_options(populate_existing=True))).one_or_none()


async def live_install(db: Session, shared: bool, source_text: str) -> ModelInstall | None:
    """The install of a source that is under way."""
    statement = select(ModelInstall).where(
        ModelInstall.kind == "install",
        ModelInstall.shared == shared,
        ModelInstall.source_text == source_text,
        ModelInstall.status.in_(LIVE),
    )
    return (await db.scalars(statement)).one_or_none()


async def count_live(db: Session) -> int:
    statement = select(func.count()).where(ModelInstall.status.in_(LIVE))
    return (await db.execute(statement)).scalar_one()


async def add(db: WriteSession, **values: Any) -> bool:
    """False when the same source is being installed already: another request was faster."""
    statement = insert(ModelInstall).values(user_id=db.user_id, **values).on_conflict_do_nothing()
    return bool((await db.execute(statement.returning(ModelInstall.id))).scalar_one_or_none())


async def change(db: WriteSession, install_id: int, was: Sequence[str], **values: Any) -> bool:
    """Changes an install that is in one of these states; false when it is in none of them."""
    statement = (
        update(ModelInstall)
        .where(ModelInstall.id == install_id, ModelInstall.status.in_(was))
        .values(**values)
        .returning(ModelInstall.id)
        .execution_options(synchronize_session=False)
    )
    return (await db.execute(statement)).scalar_one_or_none() is not None


async def remove_ended(db: WriteSession) -> list[tuple[str, list[dict[str, Any]]]]:
    """Removes what has ended; answers each one's state and files."""
    statement = (
        delete(ModelInstall)
        .where(ModelInstall.kind == "install", ModelInstall.status.in_(ENDED))
        .returning(ModelInstall.status, ModelInstall.parts)
        .execution_options(synchronize_session=False)
    )
    return [(row[0], row[1]) for row in (await db.execute(statement)).all()]


async def remove(db: WriteSession, install_id: int) -> None:
    await db.execute(delete(ModelInstall).where(ModelInstall.id == install_id))


async def conversion(db: Session, model_key: str) -> int | None:
    """The conversion of a model that is under way."""
    statement = select(ModelInstall.id).where(
        ModelInstall.kind == "convert", ModelInstall.model_key == model_key, ModelInstall.status.in_(LIVE)
    )
    return (await db.execute(statement)).scalar_one_or_none()


async def remove_conversions(db: WriteSession, model_key: str) -> None:
    """Forgets conversions of a model that ended when nobody waited for them."""
    await db.execute(
        delete(ModelInstall).where(
            ModelInstall.kind == "convert",
            ModelInstall.model_key == model_key,
            ModelInstall.status.in_(ENDED),
        )
    )


async def room(db: WriteSession) -> int | None:
    """Bytes that the person may still store; None for no limit."""
    left: int | None = (await db.execute(select(func.install_my_room()))).scalar_one()
    return left
