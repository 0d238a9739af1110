"""The lists that the page asks for again and again, as the bytes of their answers.

What is expensive and seldom changes (how many pictures there are in all, what lies on which board) is remembered with
the version of the gallery that it was read at, and holds for as long as that version does: each list looks at the
version first, in the snapshot that it then reads. So what is remembered is never out of date, in no process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Connection  # type: ignore[import-untyped]

from invokeai_saas.db.direct import DirectReads
from invokeai_saas.errors import NotFound
from invokeai_saas.gallery import boards_repository, lists_repository
from invokeai_saas.gallery.boards_repository import BoardOrder
from invokeai_saas.gallery.lists_repository import State
from invokeai_saas.gallery.schemas import Direction
from invokeai_saas.gallery.wanted import Wanted
from invokeai_saas.organisations import service as organisations
from invokeai_saas.settings import MEBIBYTE
from invokeai_saas.slots import Slots
from invokeai_saas.storage.media import MediaSigner

# Lists that a process reads and writes out at a time. More of them are no faster, for they share a core; they would
# only all be ready together, and small questions wait behind them. Of one person half as many: searching takes long.
_AT_ONCE = 4
_FORM = 1  # of the lists of names: to be changed with it, so that no browser keeps what a release before has written
_ITEM_BYTES = 200  # what an entry takes besides its value
_ROWS = "rows"  # a list of boards that is not written yet
_BOARD_BYTES = 1000  # about what one of them takes
Fields = Callable[[Mapping[str, Any], MediaSigner], dict[str, Any]]
_BOARD_REST: dict[str, Any] = {"deleted_at": None, "owner_username": None}


def _json(value: object) -> bytes:
    # The driver's UUIDs are of a class of its own, which orjson does not know.
    return orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z)


class Remembered:
    """Values by person and question, each with the version of the gallery that it is true of; the oldest go first.

    Parameters:
        capacity: bytes of all of them.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._entries: OrderedDict[Hashable, tuple[int, Any, int]] = OrderedDict()

    def get(self, key: Hashable, version: int) -> Any | None:
        """The value, if it is of this version."""
        entry = self._entries.get(key)
        if entry is None or entry[0] != version:
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: Hashable, version: int, value: Any, size: int = 0) -> None:
        """Parameters: size: bytes of the value."""
        self._drop(key)
        self._entries[key] = (version, value, size + _ITEM_BYTES)
        self._size += size + _ITEM_BYTES
        while self._size > self._capacity:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        self._size -= entry[2] if entry else 0


class GalleryLists:
    """Lists of one process.

    Parameters:
        reads: the reader's connections.
        signer: makes the pictures' paths.
    """

    def __init__(self, reads: DirectReads, signer: MediaSigner) -> None:
        self._reads = reads
        self._turns = Slots(_AT_ONCE, each=_AT_ONCE // 2)
        self._signer = signer
        self._totals = Remembered(4 * MEBIBYTE)
        self._boards = Remembered(16 * MEBIBYTE)

    async def page(self, user_id: UUID, wanted: Wanted, offset: int, limit: int, fields: Fields) -> bytes:
        """One page with how many there are in all.

        Parameters:
            fields: makes an item of a row.

        Raises NotFound for a board that is not the person's.
        """
        async with self._turns.turn(user_id):
            async with self._reads.read(user_id) as connection:
                state = await lists_repository.state(connection)
                shared = await _is_shared(connection, state, wanted)
                rows = (
                    await lists_repository.page(connection, wanted, offset, limit, shared=shared)
                    if limit
                    else []
                )
                if shared:  # what others add is no change of this person's gallery: nothing is remembered
                    total = await lists_repository.count(connection, wanted, shared=True)
                else:
                    total = await self._total(connection, user_id, wanted, state.version)
                if not total and not shared:
                    await _require_board(connection, wanted)
            items = [fields(row, self._signer) for row in rows]
            return _json({"limit": limit, "offset": offset, "total": total, "items": items})

    async def _total(self, connection: Connection, user_id: UUID, wanted: Wanted, version: int) -> int:
        key: tuple[Any, ...] = (user_id, wanted.shape, *map(str, wanted.values().values()))
        known: int | None = self._totals.get(key, version)
        if known is None:
            known = await lists_repository.count(connection, wanted)
            self._totals.put(key, version, known, sum(map(len, key[2:])))
        return known

    async def names(
        self,
        user_id: UUID,
        wanted: Wanted,
        name: str,
        is_known: Callable[[str], bool],
        *,
        refs: bool = False,
    ) -> tuple[str, bytes | None]:
        """(validator, the answer); no answer where the caller has it already.

        Parameters:
            name: what the list is called in the answer.
            is_known: whether the caller has what this validator stands for.
            refs: kinds with the names.

        Raises NotFound for a board that is not the person's.
        """
        async with self._turns.turn(user_id), self._reads.read(user_id) as connection:
            state = await lists_repository.state(connection)
            shared = await _is_shared(connection, state, wanted)
            # The person is in it: a browser keeps one answer an address, whoever is logged in.
            etag = f'W/"{user_id.hex}-{state.version}-{_FORM}"'
            if not shared and is_known(etag):
                return etag, None
            found = await lists_repository.names(connection, wanted, refs=refs, shared=shared)
            if not found.total and not shared:
                await _require_board(connection, wanted)
        counts = f'],"starred_count":{found.starred},"total_count":{found.total}}}'
        body = b"".join([f'{{"{name}":['.encode(), found.written, counts.encode()])
        if shared:  # several people's galleries have a part in it: its validator is what it says
            etag = f'W/"{user_id.hex}-{sha256(body).hexdigest()[:32]}-{_FORM}"'
            return etag, None if is_known(etag) else body
        return etag, body

    async def boards(
        self, user_id: UUID, order_by: BoardOrder, direction: Direction, *, archived: bool
    ) -> bytes:
        """Every board that the person sees, as a JSON list. Parameters: archived: archived ones as well."""
        key = (user_id, order_by, direction, archived)
        async with self._turns.turn(user_id), self._reads.read(user_id) as connection:
            state = await lists_repository.state(connection)
            if state.in_organisation:
                own = self._boards.get((*key, _ROWS), state.version)
                if own is None:
                    own = await boards_repository.boards(connection, order_by, direction, archived=archived)
                    self._boards.put((*key, _ROWS), state.version, own, _BOARD_BYTES * len(own))
                shared = await boards_repository.boards(
                    connection, order_by, direction, archived=archived, shared=True
                )
                names = await organisations.names_now(connection) if shared else {}
                return _json(_merged(user_id, own, shared, names, order_by, direction))
            known: bytes | None = self._boards.get(key, state.version)
            if known is None:
                rows = await boards_repository.boards(connection, order_by, direction, archived=archived)
                known = _json([dict(row) | _BOARD_REST for row in rows])
                self._boards.put(key, state.version, known, len(known))
        return known


def _merged(
    user_id: UUID,
    own: Sequence[Mapping[str, Any]],
    shared: Sequence[Mapping[str, Any]],
    names: Mapping[UUID, str],
    order_by: BoardOrder,
    direction: Direction,
) -> list[dict[str, Any]]:
    """One's own boards and those that colleagues share.

    Parameters:
        shared: what the organisation sees, one's own with what colleagues put there.
        names: of the organisation's people.
    """
    every = {row["board_id"]: dict(row) | _BOARD_REST for row in [*own, *shared]}
    for board in every.values():
        if board["user_id"] != user_id:
            board["owner_username"] = names.get(board["user_id"])
    listed = sorted(every.values(), key=lambda board: str(board["board_id"]))
    if order_by == "board_name":
        listed.sort(key=lambda board: str(board["board_name"]).lower(), reverse=direction == "DESC")
    else:
        listed.sort(key=lambda board: board["created_at"], reverse=direction == "DESC")
    return listed


async def _is_shared(connection: Connection, state: State, wanted: Wanted) -> bool:
    """Whether a list is of a board that the organisation sees, own or not: others' pictures lie there as well."""
    if not state.in_organisation or not isinstance(wanted.board_id, UUID):
        return False
    return await lists_repository.is_board(connection, wanted.board_id, shared=True)


async def _require_board(connection: Connection, wanted: Wanted) -> None:
    """An empty list of a board that is not there is none."""
    if isinstance(wanted.board_id, UUID) and not await lists_repository.is_board(connection, wanted.board_id):
        raise NotFound("This board")
