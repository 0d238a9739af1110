"""What is asked of both servers: the requests of InvokeAI's own page, and what a whole answer to each holds."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.contender import ALL_NAMES, BenchError, bearer
from bench.graph import BATCH
from bench.library import Library
from bench.load import request

CONNECTIONS = 32
_SELECTION = "categories=general&is_intermediate=false&order_dir=DESC&starred_first=true"
_PAGE = 100  # pictures
ENQUEUE = "/api/v1/queue/default/enqueue_batch"
BOARDS = "/api/v1/boards/?all=true&order_by=created_at&direction=DESC&include_archived=true"


@dataclass(frozen=True, eq=False)
class Call:
    """One of the measured questions.

    Parameters:
        name: how the command's --only names it.
        title: its line in the report.
        check: raises ValueError, with the reason, for a body that is not the whole answer.
        at_least: the target: our answers a second, as a multiple of theirs.
        compressed: gzip is accepted, as browsers do.
        unless_changed: asks with the validator of the last answer; 304 is the answer that is expected then.
        body: what is posted; None for a GET.
    """

    name: str
    title: str
    path: str
    check: Callable[[bytes, Library], None]
    at_least: float | None
    connections: int = CONNECTIONS
    compressed: bool = False
    unless_changed: bool = False
    body: dict[str, Any] | None = None

    @property
    def statuses(self) -> frozenset[int]:
        """Those of an answer."""
        return frozenset({304} if self.unless_changed else {200, 201} if self.body else {200})

    def request(self, token: str, validator: str = "") -> bytes:
        """The request of the person whose token this is.

        Parameters:
            validator: the ETag to send, where the call asks unless something has changed.
        """
        headers = {"Accept-Encoding": "gzip" if self.compressed else "identity", **bearer(token)}
        if self.unless_changed:
            headers["If-None-Match"] = validator
        if self.body is None:
            return request("GET", self.path, headers)
        headers["Content-Type"] = "application/json"
        return request("POST", self.path, headers, json.dumps(self.body).encode())

    def require_whole(self, body: bytes, library: Library) -> None:
        """Looks at an answer's body.

        Raises:
            BenchError: it is not what the call must bring, so that the comparison would say nothing.
        """
        try:
            self.check(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body, library)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BenchError(f"{self.title}: {error!r} in {body[:300]!r}") from error


def _require(name: str, found: object, expected: object) -> None:
    if found != expected:
        raise ValueError(f"{name} is {found!r}, not {expected!r}")


def _page_of(total: Callable[[Library], int]) -> Callable[[bytes, Library], None]:
    def check(body: bytes, library: Library) -> None:
        page = json.loads(body)
        names = {item["image_name"] for item in page["items"]}
        _require("pictures of the page", len(names), min(_PAGE, total(library)))
        _require("total", page["total"], total(library))

    return check


def _all_names(body: bytes, library: Library) -> None:
    answer = json.loads(body)
    _require("names", len(set(answer["item_names"])), library.uncategorised)
    _require("total", answer["total_count"], library.uncategorised)


def _all_boards(body: bytes, library: Library) -> None:
    boards = json.loads(body)
    _require("boards", len({board["board_id"] for board in boards}), library.boards)
    _require(
        "pictures on them", sum(b["image_count"] for b in boards), library.pictures - library.uncategorised
    )
    _require("boards with a cover", sum(bool(b["cover_image_name"]) for b in boards), library.boards)


def _nothing(body: bytes, _library: Library) -> None:
    _require("length", len(body), 0)


def _one_job(body: bytes, _library: Library) -> None:
    answer = json.loads(body)
    _require("enqueued", answer["enqueued"], 1)
    _require("items", len(answer["item_ids"]), 1)
    _require("nodes", len(answer["batch"]["graph"]["nodes"]), len(BATCH["batch"]["graph"]["nodes"]))


PAGE = Call(
    "page",
    "gallery page, uncategorised",
    f"/api/v1/images/?limit={_PAGE}&offset=0&board_id=none&{_SELECTION}",
    _page_of(lambda library: library.uncategorised),
    30,
)
PAGE_OF_ALL = Call(
    "page-all",
    "gallery page, all pictures",
    f"/api/v1/images/?limit={_PAGE}&offset=0&{_SELECTION}",
    _page_of(lambda library: library.pictures),
    30,
)
NAMES = Call("names", "item_names, plain", ALL_NAMES, _all_names, 10)
NAMES_GZIPPED = Call("names-gzip", "item_names, gzipped", ALL_NAMES, _all_names, 10, compressed=True)
NAMES_UNCHANGED = Call(
    "names-304", "item_names, unchanged (304)", ALL_NAMES, _nothing, 10, compressed=True, unless_changed=True
)
ALL_BOARDS = Call("boards", "boards list", BOARDS, _all_boards, 10)
ENQUEUE_ALONE = Call("enqueue-1", "enqueue, 1 connection", ENQUEUE, _one_job, 10, connections=1, body=BATCH)
ENQUEUE_MANY = Call("enqueue", "enqueue", ENQUEUE, _one_job, 4, body=BATCH)

# Stock InvokeAI knows no validators: it is asked all but NAMES_UNCHANGED.
BOTH = (PAGE, PAGE_OF_ALL, NAMES, NAMES_GZIPPED, ALL_BOARDS, ENQUEUE_ALONE, ENQUEUE_MANY)
