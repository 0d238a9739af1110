"""The rules of pictures: what a list shows, what may change, and what goes when a picture goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.edge import service as edge
from invokeai_saas.errors import Forbidden, NotFound, ServiceError
from invokeai_saas.gallery import boards_repository, repository
from invokeai_saas.gallery.repository import RemovedImage, Session
from invokeai_saas.gallery.schemas import (
    DeletedImages,
    ImageChanges,
    ImageUrls,
    Kind,
    Origin,
    Selection,
    StarredImages,
    UnstarredImages,
    WorkflowAndGraph,
)
from invokeai_saas.gallery.wanted import Uncategorised, Wanted
from invokeai_saas.storage.media import MediaSigner
from invokeai_saas.storage.objects import ObjectStore

Row = Mapping[Any, Any]  # columns by name: of this API's queries, or of a worker's
NO_BOARD = "none"  # what the page calls the place of pictures that are on no board
_COPIED = (
    "image_name",
    "image_origin",
    "image_category",
    "width",
    "height",
    "created_at",
    "updated_at",
    "is_intermediate",
    "session_id",
    "node_id",
    "starred",
    "has_workflow",
)


def dto_fields(row: Row, signer: MediaSigner) -> dict[str, Any]:
    """A picture as InvokeAI's ImageDTO.

    Parameters:
        row: columns of `images` by name, and `board_id` (None when it is on no board).
        signer: makes the two paths.
    """
    fields = {name: row[name] for name in _COPIED} | {"board_id": text_id(row["board_id"])}
    fields["image_url"] = signer.path(row["s3_key"])
    fields["thumbnail_url"] = signer.path(row["s3_thumbnail_key"])
    return fields | {"deleted_at": None, "image_subfolder": ""}


def item_fields(row: Row, signer: MediaSigner) -> dict[str, Any]:
    """A picture or a video as InvokeAI's GalleryItem."""
    copied = ("kind", "width", "height", "starred", "is_intermediate", "created_at", "fps")
    return {name: row[name] for name in copied} | {
        "name": row["image_name"],
        "full_url": signer.path(row["s3_key"]),
        "thumbnail_url": signer.path(row["s3_thumbnail_key"]),
        "category": row["image_category"],
        "board_id": text_id(row["board_id"]),
        "duration": row["duration_seconds"],
    }


def text_id(board_id: UUID | None) -> str | None:
    """A board's id as InvokeAI's DTOs have it."""
    return str(board_id) if board_id else None


def storable(names: Iterable[str]) -> list[str]:
    """Each name once, in order, without those that PostgreSQL's text can't hold: no picture has them."""
    return [name for name in dict.fromkeys(names) if "\0" not in name]


def boards_of(board_ids: Iterable[UUID | None]) -> list[str]:
    """Boards' ids as the page knows them, each once."""
    return sorted({str(board_id) if board_id else NO_BOARD for board_id in board_ids})


class ReadableBoard(NamedTuple):
    """A board that a person may look at.

    Parameters:
        shared: what colleagues share is to be asked for it; one's own pictures are not all that lies there.
    """

    board_id: UUID | Uncategorised
    shared: bool


async def readable_board(session: Session, board_id: str) -> ReadableBoard:
    """What a `board_id` asks for. Raises NotFound for a board that the person has not and nobody shares with them."""
    if board_id == NO_BOARD:
        return ReadableBoard("none", shared=False)
    wanted = board_uuid(board_id)
    own = await boards_repository.visibility(session, wanted)
    if own == "private":
        return ReadableBoard(wanted, shared=False)
    shared = await boards_repository.visibility(session, wanted, shared=True)
    if own is None and shared is None:
        raise NotFound("This board")
    return ReadableBoard(wanted, shared=shared is not None)


async def require_board_id(session: Session, board_id: str) -> UUID:
    """A board that the person may change.

    Raises:
        NotFound: for anything that is no board of the person's, ids that can't be one included.
        Forbidden: it is a colleague's, who shares it.
    """
    wanted = board_uuid(board_id)
    if await boards_repository.visibility(session, wanted) is None:
        if await boards_repository.visibility(session, wanted, shared=True) is None:
            raise NotFound("This board")
        raise Forbidden("This board is a colleague's. Only they can change it.")
    return wanted


async def require_place(session: WriteSession, board_id: str) -> UUID:
    """A board that pictures may be put on: the person's, or a colleague's that is public.

    Raises:
        NotFound: the person sees no such board.
        Forbidden: a colleague shares it, and it takes nobody else's pictures.
    """
    wanted = board_uuid(board_id)
    if await boards_repository.visibility(session, wanted) is None:
        shared = await boards_repository.visibility(session, wanted, shared=True)
        if shared is None:
            raise NotFound("This board")
        if shared != "public":
            raise Forbidden("This board is a colleague's. Only they can put pictures on it.")
    return wanted


def board_uuid(board_id: str) -> UUID:
    """Raises NotFound for an id that can't be a board's."""
    try:
        return UUID(board_id)
    except ValueError as error:
        raise NotFound("This board") from error


async def hold_board(session: WriteSession, board_id: str) -> UUID:
    """As require_place, and the board stays, and stays open, until this transaction ends."""
    wanted = await require_place(session, board_id)
    if not await boards_repository.hold(session, wanted) and not await boards_repository.hold_open(
        session, wanted
    ):
        raise NotFound("This board")
    return wanted


def wanted(selection: Selection, origin: Origin | None = None, *, kind: Kind | None = "image") -> Wanted:
    """The pictures that a request's parameters select. Parameters: kind: None for videos as well.

    Raises NotFound for an id that can't be a board's; whether the person has the board is for the list to see.
    """
    board = selection.board_id
    return Wanted(
        kind=kind,
        origin=origin,
        categories=selection.categories,
        is_intermediate=selection.is_intermediate,
        board_id=None if board is None else "none" if board == NO_BOARD else board_uuid(board),
        order_dir=selection.order_dir,
        starred_first=selection.starred_first,
        search_term=selection.search_term,
        created_date=selection.created_date,
    )


async def require(session: Session, name: str, kind: Kind = "image") -> Row:
    """The row of a picture of the person's, or of a video. Raises NotFound."""
    rows = await repository.by_names(session, storable([name]), kind)
    if not rows:
        raise missing(kind)
    return rows[0]


async def readable(session: Session, name: str, kind: Kind = "image") -> Row:
    """The same, or one that lies on a board which a colleague shares. Raises NotFound."""
    known = storable([name])
    rows = await repository.by_names(session, known, kind)
    rows = rows or await repository.by_names(session, known, kind, shared=True)
    if not rows:
        raise missing(kind)
    return rows[0]


async def refusal(session: Session, name: str, kind: Kind = "image") -> ServiceError:
    """Why a picture that is not the person's can't be changed: it is a colleague's, or there is none."""
    if await repository.by_names(session, storable([name]), kind, shared=True):
        return Forbidden("This is a colleague's. Only they can change it.")
    return missing(kind)


async def readable_by_names(session: Session, names: Iterable[str]) -> list[Row]:
    """The rows of those that the person may look at, in the order of the names."""
    wanted = storable(names)
    rows = {row["image_name"]: row for row in await repository.by_names(session, wanted)}
    others = [name for name in wanted if name not in rows]
    if others:
        rows |= {row["image_name"]: row for row in await repository.by_names(session, others, shared=True)}
    return [rows[name] for name in wanted if name in rows]


async def by_names(session: Session, names: Iterable[str]) -> list[Row]:
    """The rows of those that are the person's, in the order of the names."""
    wanted = storable(names)
    rows = {row["image_name"]: row for row in await repository.by_names(session, wanted)}
    return [rows[name] for name in wanted if name in rows]


def missing(kind: Kind) -> NotFound:
    """The error for a name that is no picture, or no video, of the person's."""
    return NotFound("This picture" if kind == "image" else "This video")


async def _extras(session: ReadSession, name: str, kind: Kind) -> Row:
    row = await repository.extras(session, name, kind) if storable([name]) else None
    if row is None and storable([name]):
        row = await repository.extras(session, name, kind, shared=True)
    if row is None:
        raise missing(kind)
    return row


async def metadata(session: ReadSession, name: str, kind: Kind = "image") -> dict[str, Any] | None:
    """What a picture was made with. Raises NotFound."""
    found: dict[str, Any] | None = (await _extras(session, name, kind))["metadata"]
    return found


async def workflow(session: ReadSession, name: str, kind: Kind = "image") -> WorkflowAndGraph:
    """The workflow and the graph that a picture was made with. Raises NotFound."""
    row = await _extras(session, name, kind)
    return WorkflowAndGraph(workflow=_json_text(row["workflow"]), graph=_json_text(row["graph"]))


def _json_text(value: dict[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def urls(row: Row, signer: MediaSigner) -> ImageUrls:
    """Where the files of a picture are, for an hour or two."""
    return ImageUrls(
        image_name=row["image_name"],
        image_url=signer.path(row["s3_key"]),
        thumbnail_url=signer.path(row["s3_thumbnail_key"]),
    )


async def change(session: WriteSession, name: str, changes: ImageChanges) -> Row:
    """Changes a picture and answers its row. Raises NotFound, and Forbidden for a colleague's."""
    values = changes.model_dump(exclude_none=True)
    if values and storable([name]):
        await repository.change(session, [name], **values)
    rows = await repository.by_names(session, storable([name]))
    if not rows:
        raise await refusal(session, name)
    return rows[0]


async def star(session: WriteSession, names: Iterable[str]) -> StarredImages:
    """Stars those that are the person's; others are passed over."""
    changed = await repository.change(session, storable(names), starred=True)
    return StarredImages(
        starred_images=[name for name, _ in changed], affected_boards=boards_of(board for _, board in changed)
    )


async def unstar(session: WriteSession, names: Iterable[str]) -> UnstarredImages:
    """Takes the stars off again."""
    changed = await repository.change(session, storable(names), starred=False)
    return UnstarredImages(
        unstarred_images=[name for name, _ in changed],
        affected_boards=boards_of(board for _, board in changed),
    )


async def delete(
    session: WriteSession, objects: ObjectStore, names: Iterable[str], kind: Kind = "image"
) -> list[RemovedImage]:
    """Deletes those that are the person's: rows now, files once that is committed."""
    removed = await repository.remove(session, storable(names), kind)
    keys = [key for image in removed for key in image.keys]
    await edge.remove(session, objects, keys)
    return removed


async def delete_many(session: WriteSession, objects: ObjectStore, names: Iterable[str]) -> DeletedImages:
    """Deletes those that are the person's; others are passed over."""
    removed = await delete(session, objects, names)
    return DeletedImages(
        deleted_images=[image.name for image in removed],
        affected_boards=boards_of(image.board_id for image in removed),
    )


async def delete_one(session: WriteSession, objects: ObjectStore, name: str) -> DeletedImages:
    """Deletes one picture. Raises NotFound, and Forbidden for a colleague's."""
    deleted = await delete_many(session, objects, [name])
    if not deleted.deleted_images:
        raise await refusal(session, name)
    return deleted


async def delete_wanted(session: WriteSession, objects: ObjectStore, wanted: Wanted) -> DeletedImages:
    """Deletes all that a filter selects."""
    return await delete_many(session, objects, await repository.names(session, wanted))


async def count(session: Session, wanted: Wanted) -> int:
    return await repository.count(session, wanted)


async def days(session: ReadSession) -> Sequence[Row]:
    """Each day (UTC) that has pictures, newest first."""
    return await repository.days(session)
