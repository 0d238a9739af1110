"""The lists that the page asks for again and again, as the bytes of their answers.

What is expensive and seldom changes (how many pictures there are in all, what lies on which board) is remembered with
the version of the gallery that it was read at, and holds for as long as that version does: each list looks at the
version first, in the snapshot that it then reads. So what is remembered is never out of date, in no process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Connection  # type: ignore[import-untyped]

from invokeai_saas.db.direct import DirectReads
from invokeai_saas.errors import NotFound
from invokeai_saas.gallery import boards_repository, lists_repository
from invokeai_saas.gallery.boards_repository import BoardOrder
from invokeai_saas.gallery.schemas import Direction
from invokeai_saas.gallery.wanted import Wanted
from invokeai_saas.settings import MEBIBYTE
from invokeai_saas.slots import Slots
from invokeai_saas.storage.media import MediaSigner

# Lists that a process reads and writes out at a time. More of them are no faster, for they share a core; they would
# only all be ready together, and small questions wait behind them. Of one person half as many: searching takes long.
_AT_ONCE = 4
_FORM = 1  # of the lists of names: to be changed with it, so that no browser keeps what a release before has written
_ITEM_BYTES = 200  # what an entry takes besides its value
Fields = Callable[[Mapping[str, Any], MediaSigner], dict[str, Any]]
_BOARD_REST = {"deleted_at": None, "owner_username": None}


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
                rows = await lists_repository.page(connection, wanted, offset, limit) if limit else []
                total = await self._total(connection, user_id, wanted)
                if not total:
                    await _require_board(connection, wanted)
            items = [fields(row, self._signer) for row in rows]
            return _json({"limit": limit, "offset": offset, "total": total, "items": items})

    async def _total(self, connection: Connection, user_id: UUID, wanted: Wanted) -> int:
        version = await lists_repository.version(connection)
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
            version = await lists_repository.version(connection)
            # The person is in it: a browser keeps one answer an address, whoever is logged in.
            etag = f'W/"{user_id.hex}-{version}-{_FORM}"'
            if is_known(etag):
                return etag, None
            found = await lists_repository.names(connection, wanted, refs=refs)
            if not found.total:
                await _require_board(connection, wanted)
        counts = f'],"starred_count":{found.starred},"total_count":{found.total}}}'
        return etag, b"".join([f'{{"{name}":['.encode(), found.written, counts.encode()])

    async def boards(
        self, user_id: UUID, order_by: BoardOrder, direction: Direction, *, archived: bool
    ) -> bytes:
        """Every board of the person, as a JSON list. Parameters: archived: archived ones as well."""
        key = (user_id, order_by, direction, archived)
        async with self._turns.turn(user_id), self._reads.read(user_id) as connection:
            version = await lists_repository.version(connection)
            known: bytes | None = self._boards.get(key, version)
            if known is None:
                rows = await boards_repository.boards(connection, order_by, direction, archived=archived)
                known = _json([dict(row) | _BOARD_REST for row in rows])
                self._boards.put(key, version, known, len(known))
        return known


async def _require_board(connection: Connection, wanted: Wanted) -> None:
    """An empty list of a board that is not there is none."""
    if isinstance(wanted.board_id, UUID) and not await lists_repository.is_board(connection, wanted.board_id):
        raise NotFound("This board")
