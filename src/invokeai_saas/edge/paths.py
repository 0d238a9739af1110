"""Which paths a purge names, and how many go together.

CloudFront takes 3,000 paths and 15 with an asterisk at a time, and a path costs the same with one as without. The
function at the edge turns `/images/KEY` into `/KEY`; AWS asks for both to be named then. Amazon CloudFront Developer
Guide, "Concurrent invalidation request maximum" and "What you need to know when invalidating paths".
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from invokeai_saas.edge.records import Removed

_WILDCARDS = 14  # of 15
_PATHS = 1000  # of 3,000


class Purge(NamedTuple):
    """Paths that are sent together. Parameters: ids: of the rows that are done by it."""

    paths: list[str]
    ids: list[int]

    def reference(self) -> str:
        """The same for the same paths of the same rows, whoever sends them, and for no other."""
        said = "\n".join([*map(str, self.ids), *self.paths])
        return hashlib.sha256(said.encode()).hexdigest()


def next_purge(rows: Sequence[Removed]) -> Purge:
    """What goes first of a batch. The rest is asked for again without these rows, and comes out as it would have now.

    Who deleted several files has their whole folder purged, which costs two paths and a few fetches from the store.
    Where there are more such people than asterisks, those with the fewest files have each of them named.
    """
    people: dict[str, list[Removed]] = {}
    for row in rows:
        people.setdefault(row.folder, []).append(row)
    files = {folder: sum(len(row.keys) for row in theirs) for folder, theirs in people.items()}
    whole = {folder for folder, theirs in people.items() if any(not row.keys for row in theirs)}
    folders = sorted(
        (folder for folder in people if folder in whole or files[folder] > 1),
        key=lambda folder: (folder not in whole, -files[folder], folder),
    )[: _WILDCARDS // 2]
    paths = [path for folder in folders for path in _both(f"{folder}*")]
    ids = [row.id for folder in folders for row in people[folder]]
    for folder, theirs in people.items():
        named = [path for row in theirs for key in row.keys for path in _both(quote(key))]
        if folder not in folders and folder not in whole and len(paths) + len(named) <= _PATHS:
            paths += named
            ids += [row.id for row in theirs]
    return Purge(paths, ids)


def _both(key: str) -> tuple[str, str]:
    return f"/images/{key}", f"/{key}"
