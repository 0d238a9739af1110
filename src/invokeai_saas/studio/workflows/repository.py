"""The SQL of the workflow library: a person's rows, and beside them what InvokeAI ships, given as a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    RowMapping,
    Subquery,
    Text,
    and_,
    cast,
    column,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from invokeai_saas.db import sharing
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.studio.workflows.schemas import Filter, Listing, OpenedFilter, Order
from invokeai_saas.studio.workflows.tables import WorkflowOpened, WorkflowRecord

Session = ReadSession | WriteSession
ShippedRows = list[dict[str, Any]]

_LISTED = ("workflow_id", "name", "description", "tags", "user_id", "has_return", "thumbnail_key")


def _where(wanted: Filter) -> dict[str, Any]:
    """Whose workflows are looked at: as in InvokeAI, colleagues' are listed when public ones are asked for."""
    return sharing.options(shared=wanted.is_public is True)


def _library(shipped: ShippedRows) -> Subquery:
    """One's own workflows, or the public ones that one sees, and what InvokeAI ships: as lists show them.

    Parameters:
        shipped: rows with the columns of `_LISTED` and `created_at`, the same for everybody.
    """
    own = select(
        cast(WorkflowRecord.workflow_id, Text).label("workflow_id"),
        WorkflowRecord.name,
        WorkflowRecord.description,
        WorkflowRecord.tags,
        cast(WorkflowRecord.user_id, Text).label("user_id"),
        WorkflowRecord.has_return,
        WorkflowRecord.thumbnail_key,
        literal("user").label("category"),
        WorkflowRecord.is_public,
        WorkflowRecord.created_at,
        WorkflowRecord.updated_at,
        WorkflowRecord.opened_at,
    )
    types: dict[str, Any] = dict.fromkeys(_LISTED, Text) | {"has_return": Boolean}
    columns = [column(name, types[name]) for name in _LISTED]
    given = (
        func.jsonb_to_recordset(literal(shipped, JSONB))
        .table_valued(*columns, column("created_at", DateTime(timezone=True)))
        .render_derived(name="given", with_types=True)
    )
    theirs = select(
        *(given.c[name] for name in _LISTED),
        literal("default").label("category"),
        false().label("is_public"),
        given.c.created_at,
        given.c.created_at.label("updated_at"),
        WorkflowOpened.opened_at,
    ).select_from(given.outerjoin(WorkflowOpened, WorkflowOpened.workflow_id == given.c.workflow_id))
    return union_all(own, theirs).subquery("library")


def _conditions(library: Subquery, wanted: OpenedFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.categories:
        found.append(library.c.category.in_(wanted.categories))
    if wanted.has_been_opened is not None:
        opened = library.c.opened_at.is_not(None)
        found.append(opened if wanted.has_been_opened else ~opened)
    if wanted.is_public is not None:
        found.append(library.c.is_public == wanted.is_public)
    return found


def _tag_is_in(tags: ColumnElement[str], tag: ColumnElement[str]) -> ColumnElement[bool]:
    """InvokeAI finds a tag anywhere in the text of all tags, whatever the case."""
    return func.strpos(func.lower(tags), func.lower(func.trim(tag))) > 0


def _listing_conditions(library: Subquery, wanted: Listing) -> list[ColumnElement[bool]]:
    found = _conditions(library, wanted)
    if wanted.tags:
        found.append(or_(*(_tag_is_in(library.c.tags, literal(tag)) for tag in wanted.tags)))
    term = (wanted.query or "").strip()
    if term:
        searched = (library.c.name, library.c.description, library.c.tags)
        found.append(or_(*(part.icontains(term, autoescape=True) for part in searched)))
    if wanted.callable:
        found.append(false())  # no running job can call a saved workflow: none is callable
    return found


def _order(library: Subquery, order_by: Order, *, descending: bool) -> list[ColumnElement[Any]]:
    """Nothing comes before something, as in InvokeAI's database."""
    by = func.lower(library.c.name) if order_by == "name" else library.c[order_by]
    first = by.desc().nulls_last() if descending else by.asc().nulls_first()
    return [first, func.lower(library.c.name), library.c.workflow_id]


async def page(session: Session, shipped: ShippedRows, wanted: Listing) -> tuple[int, list[RowMapping]]:
    """(how many there are in all, the rows of one page)."""
    library = _library(shipped)
    conditions = _listing_conditions(library, wanted)
    total = select(func.count()).select_from(library).where(*conditions)
    order = _order(library, wanted.order_by, descending=wanted.direction == "DESC")
    rows = select(library).where(*conditions).order_by(*order)
    if wanted.per_page:
        rows = rows.offset(wanted.page * wanted.per_page).limit(wanted.per_page)
    where = _where(wanted)
    found = list((await session.execute(rows, execution_options=where)).mappings())
    return (await session.execute(total, execution_options=where)).scalar_one(), found


async def count_by_category(session: Session, shipped: ShippedRows, wanted: OpenedFilter) -> dict[str, int]:
    """How many there are of each category that has any."""
    library = _library(shipped)
    statement = (
        select(library.c.category, func.count())
        .where(*_conditions(library, wanted))
        .group_by(library.c.category)
    )
    rows = await session.execute(statement, execution_options=_where(wanted))
    return {row[0]: row[1] for row in rows}


async def count_by_tag(
    session: Session, shipped: ShippedRows, tags: Sequence[str], wanted: OpenedFilter
) -> dict[str, int]:
    """How many have each of the tags."""
    library = _library(shipped)
    asked = (
        func.unnest(literal(list(dict.fromkeys(tags)), ARRAY(Text)))
        .table_valued("tag")
        .render_derived(name="asked")
    )
    having = and_(_tag_is_in(library.c.tags, asked.c.tag), *_conditions(library, wanted))
    statement = (
        select(asked.c.tag, func.count(library.c.workflow_id))
        .select_from(asked.outerjoin(library, having))
        .group_by(asked.c.tag)
    )
    rows = await session.execute(statement, execution_options=_where(wanted))
    return {row[0]: row[1] for row in rows}


async def tags(session: Session, shipped: ShippedRows, wanted: OpenedFilter) -> list[str]:
    """The texts of tags that there are, each as it stands in a workflow."""
    library = _library(shipped)
    statement = select(library.c.tags).distinct().where(library.c.tags != "", *_conditions(library, wanted))
    return list((await session.execute(statement, execution_options=_where(wanted))).scalars())


async def held(session: Session, other_than: UUID | None = None) -> tuple[int, int]:
    """(how many workflows the person keeps, their bytes in all). Parameters: other_than: one that is left out."""
    statement = select(func.count(), func.coalesce(func.sum(WorkflowRecord.workflow_bytes), 0))
    if other_than is not None:
        statement = statement.where(WorkflowRecord.workflow_id != other_than)
    row = (await session.execute(statement)).one()
    return row[0], row[1]


async def get(session: Session, workflow_id: UUID, *, locked: bool = False) -> WorkflowRecord | None:
    """Parameters: locked: against changes until the transaction ends."""
    statement = select(WorkflowRecord).where(WorkflowRecord.workflow_id == workflow_id)
    if locked:
        statement = statement.with_for_update()
    return (await session.execute(statement)).scalar_one_or_none()


async def get_shared(session: Session, workflow_id: UUID) -> WorkflowRecord | None:
    """One that a colleague shares, or a public one of the person's own."""
    statement = select(WorkflowRecord).where(WorkflowRecord.workflow_id == workflow_id)
    return (await session.execute(statement, execution_options=sharing.SHARED)).scalar_one_or_none()


async def add(session: WriteSession, values: dict[str, Any]) -> WorkflowRecord:
    statement = insert(WorkflowRecord).values(user_id=session.user_id, **values).returning(WorkflowRecord)
    return (await session.execute(statement)).scalar_one()


async def change(session: WriteSession, workflow_id: UUID, values: dict[str, Any]) -> WorkflowRecord:
    statement = (
        update(WorkflowRecord)
        .where(WorkflowRecord.workflow_id == workflow_id)
        .values(**values)
        .returning(WorkflowRecord)
        .execution_options(populate_existing=True)
    )
    return (await session.execute(statement)).scalar_one()


async def remove(session: WriteSession, workflow_id: UUID) -> None:
    await session.execute(delete(WorkflowRecord).where(WorkflowRecord.workflow_id == workflow_id))


async def mark_opened(session: WriteSession, workflow_id: str) -> None:
    """Notes that the person opened a workflow that is not theirs: one that InvokeAI ships, or a colleague's."""
    statement = upsert(WorkflowOpened).values(user_id=session.user_id, workflow_id=workflow_id)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["user_id", "workflow_id"], set_={"opened_at": func.now()}
        )
    )


async def opened_at(session: Session, shipped_id: str) -> Any:
    """When the person last opened a workflow that InvokeAI ships; None for never."""
    statement = select(WorkflowOpened.opened_at).where(WorkflowOpened.workflow_id == shipped_id)
    return (await session.execute(statement)).scalar_one_or_none()


def now() -> ColumnElement[Any]:
    """The transaction's time, by the database's clock."""
    return func.now()
