"""Four clients read a whole gallery while a fifth asks something small, and how long the fifth waits.

Each reader is a process of its own, so that what is measured is the server's waiting and not the clients'.
All of them ask again as soon as they have been answered (closed loop): a faster server is asked more.
"""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

from bench.contender import ALL_NAMES, HOST, VERSION, BenchError, bearer

READERS = 4
_WARM_UP = 2.0  # seconds under load before anything counts
_PAUSE = 0.01  # seconds between two questions of the fifth client


@dataclass(frozen=True)
class UnderLoad:
    """What one load measured.

    Parameters:
        waits: seconds that each app/version took, sorted.
        reads: whole galleries read a second, by all readers together.
    """

    waits: Sequence[float]
    reads: float

    def percentile(self, share: float) -> float:
        """The wait in milliseconds that `share` of the requests did not exceed (nearest rank)."""
        return self.waits[math.ceil(share * len(self.waits)) - 1] * 1000


def under_load(port: int, token: str, seconds: float, *, compressed: bool) -> UnderLoad:
    """Measures app/version while READERS clients read all names of the token's person.

    Parameters:
        seconds: how long to measure, after a warm-up of two.
        compressed: readers accept gzip, as browsers do.
    """
    with _readers(port, token, compressed=compressed) as ends:
        _ask(port, _WARM_UP)
        before = _reads(ends)
        began = time.perf_counter()
        waits = _ask(port, seconds)
        elapsed = time.perf_counter() - began
        reads = _reads(ends) - before
    return UnderLoad(sorted(waits), reads / elapsed)


def _ask(port: int, seconds: float) -> list[float]:
    """The fifth client: app/version on one connection, over and over."""
    waits = []
    connection = HTTPConnection(HOST, port, timeout=120)
    deadline = time.perf_counter() + seconds
    while (asked := time.perf_counter()) < deadline:
        connection.request("GET", VERSION)
        response = connection.getresponse()
        response.read()
        waits.append(time.perf_counter() - asked)
        if response.status != 200:
            raise BenchError(f"app/version answered {response.status} under load")
        time.sleep(_PAUSE)
    connection.close()
    return waits


def _reads(ends: Sequence[Connection]) -> int:
    """How many galleries the readers have read so far."""
    try:
        for end in ends:
            end.send(None)
        return sum(end.recv() for end in ends)
    except (EOFError, OSError) as error:
        raise BenchError("A reader ended early; its traceback stands above.") from error


@contextmanager
def _readers(port: int, token: str, *, compressed: bool) -> Iterator[list[Connection]]:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    ends, readers = [], []
    for _ in range(READERS):
        ours, theirs = context.Pipe()
        reader = context.Process(target=_read, args=(port, token, compressed, stop, theirs), daemon=True)
        reader.start()
        ends.append(ours)
        readers.append(reader)
    try:
        yield ends
    finally:
        stop.set()
        for reader in readers:
            reader.join(60)


def _read(port: int, token: str, compressed: bool, stop: Event, theirs: Connection) -> None:
    """A reader's process. It tells its count whenever it is asked, between two readings."""
    encoding = "gzip" if compressed else "identity"
    headers = {"Accept-Encoding": encoding} | bearer(token)
    connection = HTTPConnection(HOST, port, timeout=120)
    done = 0
    while not stop.is_set():
        connection.request("GET", ALL_NAMES, headers=headers)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise BenchError(f"item_names answered {response.status} under load")
        done += 1
        while theirs.poll():
            theirs.recv()
            theirs.send(done)
