"""The rules of the workflow library.

A person's workflows are theirs to change. With `is_public` the people of their organisation see them, in lists when
public ones are asked for, as in InvokeAI; without an organisation that shares, the mark is kept and shows a workflow to
nobody else. What InvokeAI ships is read by everybody and changed by nobody.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.edge import service as edge
from invokeai_saas.errors import Conflict, Forbidden, InvalidInput, NotFound, PayloadTooLarge
from invokeai_saas.organisations import service as organisations
from invokeai_saas.services import Services
from invokeai_saas.settings import MEBIBYTE
from invokeai_saas.storage.keys import kept_picture_key
from invokeai_saas.studio.bodies import checked, parse_json
from invokeai_saas.studio.shipped import OWNER, Shipped, ShippedWorkflow
from invokeai_saas.studio.workflows import repository
from invokeai_saas.studio.workflows.repository import Session, ShippedRows
from invokeai_saas.studio.workflows.schemas import (
    MAX_STORED_BYTES,
    MAX_WORKFLOW_BYTES,
    MAX_WORKFLOWS,
    CategoryCounts,
    Filter,
    Listing,
    OpenedFilter,
    TagCounts,
    WorkflowWithoutId,
    count_returns,
)
from invokeai_saas.studio.workflows.tables import WorkflowRecord

Answer = dict[str, Any]
_SHARED_TAG = "shared"  # InvokeAI's, added and removed with is_public
_PLACE = ("workflow",)


def parse(body: bytes) -> tuple[WorkflowWithoutId, str | None]:
    """A workflow out of `{"workflow": ...}`, and the id in it. Takes a part of a second for the longest.

    Raises:
        InvalidInput, RequestValidationError: it is none; both name the field.
    """
    document = parse_json(body, ())
    given = document.get("workflow") if isinstance(document, dict) else None
    workflow = checked(WorkflowWithoutId, given, _PLACE, MAX_WORKFLOW_BYTES)
    named = given.get("id") if isinstance(given, dict) else None
    if workflow.meta.category == "default":
        raise InvalidInput(
            (*_PLACE, "meta", "category"),
            "Workflows of the category 'default' come with InvokeAI. Use 'user'.",
        )
    return workflow, named if isinstance(named, str) else None


def _columns(workflow: WorkflowWithoutId) -> dict[str, Any]:
    """What is stored of a workflow. Raises PayloadTooLarge."""
    text = orjson.dumps(workflow.model_dump())
    if len(text) > MAX_WORKFLOW_BYTES:
        raise PayloadTooLarge(f"A workflow may have at most {MAX_WORKFLOW_BYTES} bytes.")
    return {
        "name": workflow.name,
        "description": workflow.description,
        "tags": workflow.tags,
        "workflow": text.decode(),
        "workflow_bytes": len(text),
        "has_return": count_returns(workflow.nodes) > 0,
    }


async def create(shared: Services, session: WriteSession, workflow: WorkflowWithoutId) -> Answer:
    """Keeps a new workflow. Raises Conflict when the person keeps too many."""
    columns = _columns(workflow)
    await _require_room(session, columns["workflow_bytes"])
    row = await repository.add(session, columns)
    await _announce(shared, session, "workflow_created", row, is_public=row.is_public)
    return _record(row)


async def _require_room(session: WriteSession, size: int, instead_of: UUID | None = None) -> None:
    count, stored = await repository.held(session, instead_of)
    if count >= MAX_WORKFLOWS or stored + size > MAX_STORED_BYTES:
        raise Conflict(
            f"At most {MAX_WORKFLOWS} workflows and {MAX_STORED_BYTES // MEBIBYTE} MiB of them can be kept."
            " Delete some first.",
            code="workflow_library_full",
        )


async def update(
    shared: Services, session: WriteSession, workflow_id: str, workflow: WorkflowWithoutId, named: str | None
) -> Answer:
    """Replaces a workflow.

    Raises:
        NotFound: it is not the person's.
        Forbidden: it comes with InvokeAI, or is a colleague's.
        InvalidInput: its own id is another than the path's.
        Conflict: there is no room for what was added.
    """
    row = await _require_own(shared.shipped, session, workflow_id)
    if named != workflow_id:
        raise InvalidInput((*_PLACE, "id"), "The workflow's id must be the one in the address.")
    columns = _columns(workflow)
    await _require_room(session, columns["workflow_bytes"], row.workflow_id)
    changed = await repository.change(session, row.workflow_id, columns)
    await _announce_update(shared, session, changed, was_public=changed.is_public)
    return _record(changed)


async def share(shared: Services, session: WriteSession, workflow_id: str, *, is_public: bool) -> Answer:
    """Sets `is_public`, and InvokeAI's tag for it. Raises NotFound, Forbidden."""
    row = await _require_own(shared.shipped, session, workflow_id)
    was_public = row.is_public
    workflow = orjson.loads(row.workflow)
    tags = [tag for tag in map(str.strip, row.tags.split(",")) if tag and tag != _SHARED_TAG]
    workflow["tags"] = ", ".join([*tags, _SHARED_TAG] if is_public else tags)
    text = orjson.dumps(workflow)
    columns = {"tags": workflow["tags"], "workflow": text.decode(), "workflow_bytes": len(text)}
    changed = await repository.change(session, row.workflow_id, columns | {"is_public": is_public})
    await _announce_update(shared, session, changed, was_public=was_public)
    return _record(changed)


async def delete(shared: Services, session: WriteSession, workflow_id: str) -> None:
    """Deletes a workflow and its thumbnail. Raises NotFound, Forbidden."""
    row = await _require_own(shared.shipped, session, workflow_id)
    await repository.remove(session, row.workflow_id)
    await _forget_picture(shared, session, row.thumbnail_key)
    await _announce(
        shared, session, "workflow_deleted", row, to_colleagues=row.is_public, is_public=row.is_public
    )


async def set_thumbnail(
    shared: Services, session: WriteSession, workflow_id: str, picture: bytes | None
) -> Answer:
    """Gives a workflow another thumbnail, or none. Raises NotFound, Forbidden. Parameters: picture: WebP."""
    row = await _require_own(shared.shipped, session, workflow_id)
    old, key = row.thumbnail_key, None
    if picture is not None:
        key = kept_picture_key(session.user_id, "workflows")
        await shared.objects.put(key, picture, "image/webp")
    changed = await repository.change(session, row.workflow_id, {"thumbnail_key": key})
    await _forget_picture(shared, session, old)
    return _record(changed)


async def _forget_picture(shared: Services, session: WriteSession, key: str | None) -> None:
    await edge.remove(session, shared.objects, [key] if key else [])


async def mark_opened(shared: Services, session: WriteSession, workflow_id: str) -> None:
    """Notes when a workflow was opened: one's own, or for oneself alone another that one sees. Raises NotFound."""
    if workflow_id in shared.shipped.workflows:
        await repository.mark_opened(session, workflow_id)
        return
    wanted = _uuid(workflow_id)
    row = await repository.get(session, wanted, locked=True)
    if row is not None:
        await repository.change(session, row.workflow_id, {"opened_at": repository.now()})
    elif await repository.get_shared(session, wanted) is not None:
        await repository.mark_opened(session, str(wanted))
    else:
        raise NotFound("This workflow")


async def _require_own(shipped: Shipped, session: WriteSession, workflow_id: str) -> WorkflowRecord:
    if workflow_id in shipped.workflows:
        raise Forbidden("This workflow comes with InvokeAI and can't be changed. Save a copy of it.")
    wanted = _uuid(workflow_id)
    row = await repository.get(session, wanted, locked=True)
    if row is None and await repository.get_shared(session, wanted) is not None:
        raise Forbidden("This workflow is a colleague's. Only they can change it; save a copy of it.")
    if row is None:
        raise NotFound("This workflow")
    return row


async def _find(session: Session, workflow_id: str) -> WorkflowRecord:
    """One's own, or one that a colleague shares. Raises NotFound."""
    wanted = _uuid(workflow_id)
    row = await repository.get(session, wanted) or await repository.get_shared(session, wanted)
    if row is None:
        raise NotFound("This workflow")
    return row


def _uuid(workflow_id: str) -> UUID:
    try:
        return UUID(workflow_id)
    except ValueError as error:
        raise NotFound("This workflow") from error


async def get(shared: Services, session: ReadSession, workflow_id: str) -> Answer:
    """One workflow, whole. Raises NotFound."""
    found = shared.shipped.workflows.get(workflow_id)
    if found is None:
        row = await _find(session, workflow_id)
        return _record(row) | _extras(shared, row.thumbnail_key, has_return=row.has_return)
    since = shared.shipped.since
    return {
        "workflow_id": found.id,
        "name": found.workflow["name"],
        "created_at": since,
        "updated_at": since,
        "opened_at": await repository.opened_at(session, found.id),
        "user_id": OWNER,
        "is_public": False,
        "workflow": found.workflow,
    } | _extras(shared, found.picture, has_return=count_returns(found.workflow["nodes"]) > 0)


async def thumbnail_key(shared: Services, session: ReadSession, workflow_id: str) -> str:
    """Key of a workflow's thumbnail. Raises NotFound, also when it has none."""
    found = shared.shipped.workflows.get(workflow_id)
    key = found.picture if found else (await _find(session, workflow_id)).thumbnail_key
    if key is None:
        raise NotFound("A thumbnail of this workflow")
    return key


async def page(shared: Services, session: ReadSession, wanted: Listing) -> Answer:
    """A page of the library as InvokeAI's page shows it."""
    total, rows = await repository.page(session, _shipped_rows(shared.shipped), wanted)
    items = []
    for row in rows:
        item = dict(row)
        extras = _extras(shared, item.pop("thumbnail_key"), has_return=item.pop("has_return"))
        items.append(item | extras)
    size = wanted.per_page or total
    pages = -(-total // wanted.per_page) if wanted.per_page else 1
    return {"page": wanted.page, "pages": pages, "per_page": size, "total": total, "items": items}


async def counts_by_category(
    shared: Services, session: ReadSession, wanted: CategoryCounts
) -> dict[str, int]:
    found = await repository.count_by_category(session, _shipped_rows(shared.shipped), wanted)
    return {category: found.get(category, 0) for category in wanted.categories}


async def counts_by_tag(shared: Services, session: ReadSession, wanted: TagCounts) -> dict[str, int]:
    found = await repository.count_by_tag(session, _shipped_rows(shared.shipped), wanted.tags, wanted)
    return {tag: found.get(tag, 0) for tag in wanted.tags}


async def tags(shared: Services, session: ReadSession, wanted: Filter) -> list[str]:
    """Each tag once."""
    texts = await repository.tags(session, _shipped_rows(shared.shipped), OpenedFilter(**wanted.model_dump()))
    return sorted({tag.strip() for text in texts for tag in text.split(",")} - {""})


def _shipped_rows(shipped: Shipped) -> ShippedRows:
    return [_shipped_row(workflow, shipped) for workflow in shipped.workflows.values()]


def _shipped_row(found: ShippedWorkflow, shipped: Shipped) -> Answer:
    copied = {name: found.workflow[name] for name in ("name", "description", "tags")}
    return copied | {
        "workflow_id": found.id,
        "user_id": OWNER,
        "has_return": count_returns(found.workflow["nodes"]) > 0,
        "thumbnail_key": found.picture,
        "created_at": shipped.since.isoformat(),
    }


def _record(row: WorkflowRecord) -> Answer:
    """A workflow as InvokeAI's WorkflowRecordDTO; it carries its id inside, too."""
    workflow_id = str(row.workflow_id)
    return {
        "workflow_id": workflow_id,
        "name": row.name,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "opened_at": row.opened_at,
        "user_id": str(row.user_id),
        "is_public": row.is_public,
        "workflow": orjson.loads(row.workflow) | {"id": workflow_id},
    }


def _extras(shared: Services, picture: str | None, *, has_return: bool) -> Answer:
    return {
        "thumbnail_url": shared.media.path(picture) if picture else None,
        "call_saved_workflow_compatibility": _UNSUPPORTED if has_return else _NO_RETURN,
    }


_NO_RETURN = {
    "is_callable": False,
    "reason": "missing_workflow_return",
    "message": "Another workflow can only call one that has a workflow_return node.",
}
_UNSUPPORTED = {
    "is_callable": False,
    "reason": "unsupported_node",
    "message": "Saved workflows can't be called by a running job yet.",
}


async def _announce(
    shared: Services,
    session: WriteSession,
    event: str,
    row: WorkflowRecord,
    *,
    to_colleagues: bool = False,
    **facts: bool,
) -> None:
    payload = {"workflow_id": str(row.workflow_id), "user_id": str(row.user_id), **facts}
    hearers = [session.user_id, *(await organisations.colleagues(session) if to_colleagues else ())]
    session.after_commit(lambda: shared.publisher.publish_to_all(hearers, event, payload))


async def _announce_update(
    shared: Services, session: WriteSession, row: WorkflowRecord, *, was_public: bool
) -> None:
    """Like InvokeAI: colleagues hear of what they see, and that they have lost sight of it; its owner hears both."""
    facts = {"old_is_public": was_public, "new_is_public": row.is_public}
    await _announce(shared, session, "workflow_updated", row, to_colleagues=row.is_public, **facts)
    if was_public and not row.is_public:
        await _announce(shared, session, "workflow_access_revoked", row, to_colleagues=True)
