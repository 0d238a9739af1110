"""The rules of videos. They are rows among the pictures; no route of the one touches the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from invokeai_saas.db.session import WriteSession
from invokeai_saas.errors import InvalidInput
from invokeai_saas.gallery import boards_repository, repository
from invokeai_saas.gallery import service as gallery
from invokeai_saas.gallery.service import Row
from invokeai_saas.gallery.videos.schemas import (
    AddedVideos,
    DeletedVideos,
    RemovedVideos,
    StarredVideos,
    UnstarredVideos,
    VideoChanges,
    VideoUrls,
)
from invokeai_saas.gallery.wanted import Wanted
from invokeai_saas.storage.media import MediaSigner
from invokeai_saas.storage.objects import ObjectStore

_COPIED = (
    "width",
    "height",
    "fps",
    "created_at",
    "updated_at",
    "is_intermediate",
    "session_id",
    "node_id",
    "starred",
    "has_workflow",
)


def dto_fields(row: Row, signer: MediaSigner) -> dict[str, Any]:
    """A video as InvokeAI's VideoDTO.

    Parameters:
        row: columns of `images` by name.
        signer: makes the two paths.
    """
    return {name: row[name] for name in _COPIED} | {
        "video_name": row["image_name"],
        "video_origin": row["image_origin"],
        "video_category": row["image_category"],
        "duration": row["duration_seconds"],
        "video_url": signer.path(row["s3_key"]),
        "thumbnail_url": signer.path(row["s3_thumbnail_key"]),
        "board_id": gallery.text_id(row["board_id"]),
        "deleted_at": None,
        "video_subfolder": "",
    }


def urls(row: Row, signer: MediaSigner) -> VideoUrls:
    """Where the files of a video are, for an hour or two."""
    return VideoUrls(
        video_name=row["image_name"],
        video_url=signer.path(row["s3_key"]),
        thumbnail_url=signer.path(row["s3_thumbnail_key"]),
    )


async def change(session: WriteSession, name: str, changes: VideoChanges) -> Row:
    """Changes a video and answers its row. Raises NotFound, and Forbidden for a colleague's."""
    values = changes.model_dump(exclude_none=True)
    if "video_category" in values:
        values["image_category"] = values.pop("video_category")
    if values and gallery.storable([name]):
        await repository.change(session, [name], "video", **values)
    rows = await repository.by_names(session, gallery.storable([name]), "video")
    if not rows:
        raise await gallery.refusal(session, name, "video")
    return rows[0]


async def star(session: WriteSession, names: Iterable[str]) -> StarredVideos:
    """Stars those that are the person's; others are passed over."""
    changed = await repository.change(session, gallery.storable(names), "video", starred=True)
    return StarredVideos(
        starred_videos=[name for name, _ in changed],
        affected_boards=gallery.boards_of(board for _, board in changed),
    )


async def unstar(session: WriteSession, names: Iterable[str]) -> UnstarredVideos:
    """Takes the stars off again."""
    changed = await repository.change(session, gallery.storable(names), "video", starred=False)
    return UnstarredVideos(
        unstarred_videos=[name for name, _ in changed],
        affected_boards=gallery.boards_of(board for _, board in changed),
    )


async def delete_many(session: WriteSession, objects: ObjectStore, names: Iterable[str]) -> DeletedVideos:
    """Deletes those that are the person's; others are passed over."""
    removed = await gallery.delete(session, objects, names, "video")
    return DeletedVideos(
        deleted_videos=[video.name for video in removed],
        affected_boards=gallery.boards_of(video.board_id for video in removed),
    )


async def delete_one(session: WriteSession, objects: ObjectStore, name: str) -> DeletedVideos:
    """Deletes one video. Raises NotFound, and Forbidden for a colleague's."""
    deleted = await delete_many(session, objects, [name])
    if not deleted.deleted_videos:
        raise await gallery.refusal(session, name, "video")
    return deleted


async def delete_uncategorized(session: WriteSession, objects: ObjectStore) -> DeletedVideos:
    """Deletes all that are on no board."""
    names = await repository.names(session, Wanted(kind="video", board_id="none"))
    return await delete_many(session, objects, names)


async def place(session: WriteSession, board_id: str, name: str) -> AddedVideos:
    """Puts a video on a board, off any other. Raises NotFound when either is not the person's."""
    if board_id == gallery.NO_BOARD:
        raise InvalidInput(("board_id",), "Take the video off its board instead of adding it to none.")
    board = await gallery.hold_board(session, board_id)
    placed = await boards_repository.place(session, board, gallery.storable([name]), "video")
    if not placed:
        raise await gallery.refusal(session, name, "video")
    affected = [board, *(left for _, left in placed)]
    return AddedVideos(added_videos=[name], affected_boards=gallery.boards_of(affected))


async def take_off(session: WriteSession, name: str) -> RemovedVideos:
    """Takes a video off its board, one's own or on one's own board; one on none is done already.

    Raises NotFound, and Forbidden for a colleague's on a colleague's board.
    """
    known = [name] if name.endswith(repository.VIDEO_ENDING) else []
    left = await boards_repository.take_off(session, gallery.storable(known))
    if not left and not await repository.by_names(session, gallery.storable(known), "video"):
        raise await gallery.refusal(session, name, "video")
    return RemovedVideos(
        removed_videos=[name], affected_boards=sorted({gallery.NO_BOARD, *map(str, left.values())})
    )
