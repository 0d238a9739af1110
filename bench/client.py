"""The clients: connections that ask the same thing over and over, in a process of their own.

They are cheap, because they share the machine's cores with the server that is measured: uvloop, and a parser in C
that is told of no header and of no body but the first.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import cast

import httptools
import uvloop

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Traffic:
    """What the clients do.

    Parameters:
        request: the whole HTTP/1.1 request, head and body.
        connections: how many there are.
        statuses: those that count as an answer.
        period: seconds between two questions of a connection, which then are due whether or not the last one was
            answered: waits count from that moment, so a server that stands still is not asked the less (Gil Tene's
            "coordinated omission"). 0: each asks again when it has been answered (closed loop).
    """

    port: int
    request: bytes
    connections: int
    statuses: frozenset[int] = frozenset({200})
    period: float = 0


@dataclass
class Answers:
    """What came back.

    Parameters:
        waits: seconds that each answer took that came after the beginning.
        last: when the last one came, by time.monotonic.
        answered: how many came in all, since the clients were connected.
        received: bytes of those, heads included.
        first: the body of the very first answer.
        first_received: its bytes, head included.
        problem: why the clients gave up, if they did.
    """

    waits: array[float] = field(default_factory=lambda: array("d"))
    last: float = 0
    answered: int = 0
    received: int = 0
    first: bytes = b""
    first_received: int = 0
    problem: str = ""


def run(traffic: Traffic, begin: float, end: float, result: Connection) -> None:
    """A process of clients; sends its Answers.

    Parameters:
        begin: from when on answers count, by time.monotonic, which all processes of a machine share.
        end: when the last questions are asked. They are waited for, so that a server that needs longer than that for
            an answer is measured too, and nothing of it falls on what is measured next.
    """
    result.send(uvloop.run(drive(traffic, begin, end)))


async def drive(traffic: Traffic, begin: float, end: float) -> Answers:
    """The same in this process."""
    answers = Answers()
    loop = asyncio.get_running_loop()
    clients: list[_Client] = []
    try:
        for number in range(traffic.connections):
            _, client = await loop.create_connection(
                lambda: _Client(traffic, answers, begin, end), HOST, traffic.port
            )
            clients.append(client)
            loop.call_later(traffic.period * number / traffic.connections, client.ask)
        await _all_done(clients)
    except OSError as error:
        answers.problem = str(error)
    for client in clients:
        client.close()
    return answers


async def _all_done(clients: Sequence[_Client]) -> None:
    done, waiting = await asyncio.wait(
        [client.done for client in clients], return_when=asyncio.FIRST_EXCEPTION
    )
    for future in waiting:
        future.cancel()
    for future in done:
        future.result()


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, traffic: Traffic, answers: Answers, begin: float, end: float) -> None:
        self._traffic = traffic
        self._answers = answers
        self._begin = begin
        self._end = end
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def ask(self, due: float | None = None) -> None:
        """Sends the request; what follows happens when the answer is whole.

        Parameters:
            due: when it should have been sent, by time.monotonic; now where unset.
        """
        # A parser an answer: which one sees the body is decided by the methods it finds.
        listener = _Listener() if self._answers.answered else _BodyListener()
        self._listener: _Listener = listener
        self._received = 0
        self._parser = httptools.HttpResponseParser(listener)
        self._due = time.monotonic() if due is None else due
        self._transport.write(self._traffic.request)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"no HTTP: {error}")
            return
        if self._listener.complete:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._fail(f"the connection was closed: {exc}")

    def close(self) -> None:
        self._transport.close()

    def _answered(self) -> None:
        now = time.monotonic()
        answers, status = self._answers, self._parser.get_status_code()
        if isinstance(self._listener, _BodyListener) and not answers.answered:
            answers.first = b"".join(self._listener.parts)
            answers.first_received = self._received
        answers.answered += 1
        answers.received += self._received
        if status not in self._traffic.statuses:
            self._fail(f"status {status}")
            return
        if now >= self._begin:
            answers.waits.append(now - self._due)
            answers.last = now
        if now >= self._end:
            self.done.set_result(None)
        elif self._traffic.period:
            due = self._due + self._traffic.period
            self._loop.call_later(max(0, due - now), self.ask, due)
        else:
            self.ask()

    def _fail(self, problem: str) -> None:
        if not self.done.done():
            self.done.set_exception(OSError(problem))


class _Listener:
    """Told by the parser when an answer is whole."""

    def __init__(self) -> None:
        self.complete = False

    def on_message_complete(self) -> None:
        self.complete = True


class _BodyListener(_Listener):
    """Keeps the body, too."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = []

    def on_body(self, part: bytes) -> None:
        self.parts.append(part)
