"""The benchmark's clients: what they count, and what they do not take for an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from bench.client import HOST, Answers, Traffic, drive

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"


@asynccontextmanager
async def _server(reply: Reply) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await reply(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _always(answer: bytes) -> Reply:
    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return reply


async def _drive(
    reply: Reply, *, seconds: float = 0.1, period: float = 0, **changes: frozenset[int]
) -> Answers:
    async with _server(reply) as port:
        now = time.monotonic()
        return await drive(Traffic(port, REQUEST, 3, period=period, **changes), now, now + seconds)


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED])
async def test_answers_are_counted_whatever_frames_them(answer: bytes) -> None:
    answers = await _drive(_always(answer))
    assert not answers.problem
    assert answers.first == b"hello"
    assert answers.answered == len(answers.waits) >= 3
    assert answers.received == answers.answered * len(answer)
    assert answers.first_received == len(answer)


async def test_an_answer_in_pieces_is_one() -> None:
    async def reply(writer: asyncio.StreamWriter) -> None:
        for start in range(0, len(CHUNKED), 7):
            writer.write(CHUNKED[start : start + 7])
            await writer.drain()
            await asyncio.sleep(0.001)

    answers = await _drive(reply)
    assert not answers.problem
    assert answers.first == b"hello"
    assert answers.first_received == len(CHUNKED)  # of this connection, though others' pieces come in between
    assert answers.received == answers.answered * len(CHUNKED)


async def test_an_answer_without_a_body() -> None:
    answers = await _drive(_always(NOT_MODIFIED), statuses=frozenset({304}))
    assert not answers.problem
    assert answers.first == b""
    assert answers.answered >= 3


@pytest.mark.parametrize(
    "answer", [NOT_MODIFIED, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"nonsense\r\n\r\n"]
)
async def test_what_is_no_answer_ends_it(answer: bytes) -> None:
    assert (await _drive(_always(answer))).problem


async def test_a_closed_connection_ends_it() -> None:
    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.close()

    assert "closed" in (await _drive(reply)).problem


async def test_who_answers_late_is_measured_all_the_same() -> None:
    async def reply(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(PLAIN)

    answers = await _drive(reply, seconds=0.1)
    assert answers.answered == 3
    assert min(answers.waits) >= 0.3


async def test_questions_that_were_due_while_the_server_stood_still_count() -> None:
    asked = 0

    async def reply(writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked <= 3:
            await asyncio.sleep(0.3)
        writer.write(PLAIN)

    answers = await _drive(reply, seconds=3.0, period=0.1)
    # Three were kept waiting, and each let others come due meanwhile, each a period less.
    assert sum(wait > 0.05 for wait in answers.waits) >= 6
