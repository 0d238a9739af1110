"""The ledger's rate: pairs of reserving and settling a second, beside a naive version in the same database.

Ours are the functions that every job goes through, all checks on: the lock, what is available, grants by their
expiry, constraints, foreign keys, row-level security, one reservation and one settlement a job. A pair is two
statements, each a transaction.

The naive version keeps one row of figures a person and a journal: a pair is two transactions of four statements, as a
program writes them that holds its rules itself. Where we have a reservation it has a row of a job. It checks less
than we do; that it costs more round trips is what a design with functions is about.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]
import psycopg

from bench.report import Figure
from invokeai_saas.db import migrate, roles
from invokeai_saas.embedded.servers import EmbeddedServers

Say = Callable[[str], None]
Pair = Callable[[asyncpg.Connection, UUID, int], Awaitable[None]]

NAME = "ledger"
PEOPLE = 1_000
CONNECTIONS = 16
_SLICE = 1.0  # seconds: disks change their pace from one moment to the next, so the versions take short turns
_CREDITS = 1_000_000_000  # of each person, in two grants: more than a run can spend
_HELD, _CHARGED = 5, 4
_PASSWORDS = roles.RolePasswords(
    owner="bench-owner",
    api="bench-api",
    auth="bench-auth",
    worker="bench-worker",
    billing="bench-billing",
    staff="bench-staff",
)
_NAIVE = """
    CREATE TABLE naive_accounts (user_id uuid PRIMARY KEY, balance bigint NOT NULL, reserved bigint NOT NULL DEFAULT 0);
    CREATE TABLE naive_jobs (id bigint PRIMARY KEY, user_id uuid NOT NULL, status text NOT NULL);
    CREATE TABLE naive_journal (
        id bigserial PRIMARY KEY, user_id uuid NOT NULL, kind text NOT NULL, amount integer NOT NULL,
        reference text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), UNIQUE (user_id, kind, reference)
    );
"""


async def _ours(connection: asyncpg.Connection, person: UUID, job: int) -> None:
    await connection.execute("SELECT bench_reserve($1, $2, $3)", person, job, _HELD)
    await connection.execute("SELECT bench_settle($1, $2, $3)", person, job, _CHARGED)


async def _naive(connection: asyncpg.Connection, person: UUID, job: int) -> None:
    lock = "SELECT balance - reserved FROM naive_accounts WHERE user_id = $1 FOR UPDATE"
    write = "INSERT INTO naive_journal (user_id, kind, amount, reference) VALUES ($1, $2, $3, $4)"
    async with connection.transaction():
        assert await connection.fetchval(lock, person) >= _HELD
        await connection.execute(
            "INSERT INTO naive_jobs (id, user_id, status) VALUES ($1, $2, 'pending')", job, person
        )
        await connection.execute(write, person, "reserve", -_HELD, str(job))
        await connection.execute(
            "UPDATE naive_accounts SET reserved = reserved + $2 WHERE user_id = $1", person, _HELD
        )
    async with connection.transaction():
        await connection.fetchval(lock, person)
        await connection.execute(write, person, "settle", -_CHARGED, str(job))
        await connection.execute(
            "UPDATE naive_accounts SET reserved = reserved - $2, balance = balance - $3 WHERE user_id = $1",
            person, _HELD, _CHARGED,
        )  # fmt: skip
        await connection.execute("UPDATE naive_jobs SET status = 'completed' WHERE id = $1", job)


@dataclass
class Rates:
    """Pairs a second, a figure a turn."""

    ours: list[float] = field(default_factory=list)
    naive: list[float] = field(default_factory=list)


@contextmanager
def own_folder() -> Iterator[Path]:
    """For one run. PostgreSQL's account walks through it when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="invokeai-saas-ledger-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(folder: Path, seconds: float, rounds: int, say: Say) -> list[Figure]:
    """Both versions in turns, over a thousand people and on one of them.

    Parameters:
        folder: for the embedded PostgreSQL, which writes to the disk as in earnest.
        seconds: of each version a round.
        rounds: medians of all turns count.
    """
    servers = EmbeddedServers(folder)
    try:
        addresses = servers.start()
        superuser = addresses.postgres_url(addresses.superuser, addresses.superuser_password, "postgresql")
        roles.ensure_roles(superuser, _PASSWORDS)
        owner = addresses.postgres_url(roles.OWNER, _PASSWORDS.owner, "postgresql")
        migrate.upgrade(owner)
        people = _prepare(owner)
        many, hot = asyncio.run(_rounds(owner, people, seconds, rounds, say))
        _require_sound(owner)
    finally:
        servers.stop()
    return [
        Figure(f"reserve + settle over {PEOPLE:,} people, 1/s", median(many.ours), median(many.naive), at_least=1.1),
        Figure("reserve + settle of one person, 1/s", median(hot.ours), median(hot.naive), at_least=1.0),
    ]  # fmt: skip


def _prepare(owner: str) -> Sequence[UUID]:
    """People with a pack and a plan's credits, and the naive tables."""
    people = [UUID(int=number) for number in range(1, PEOPLE + 1)]
    with psycopg.connect(owner) as connection:
        connection.execute(
            "INSERT INTO users (id, email, name, cognito_sub)"
            " SELECT id, id || '@example.com', 'Somebody', id FROM unnest(%s::uuid[]) id",
            [people],
        )
        for source, days in (("subscription", 30), ("pack", 60)):
            connection.execute(
                "SELECT credits_grant(id, %s, %s, now(), now() + make_interval(days => %s), %s, 'Benchmark')"
                " FROM unnest(%s::uuid[]) id",
                [_CREDITS, source, days, source, people],
            )
        connection.execute(_NAIVE)
        connection.execute(
            "INSERT INTO naive_accounts SELECT id, %s FROM unnest(%s::uuid[]) id", [_CREDITS, people]
        )
        # What queue_enqueue and queue_finish do of the ledger, without what they do of the queue.
        for name, call in (
            ("reserve", "_credits_reserve(p_user, p_job, p_amount)"),
            ("settle", "_credits_settle(p_user, p_job, p_amount, 'A picture')"),
        ):
            check = "_credits_available(p_user) >= p_amount" if name == "reserve" else "true"
            connection.execute(
                f"CREATE FUNCTION bench_{name}(p_user uuid, p_job bigint, p_amount integer) RETURNS void"
                " LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$ BEGIN"
                f" PERFORM _credits_lock(p_user); ASSERT {check}; PERFORM {call}; END $$".encode()
            )
    return people


async def _rounds(
    owner: str, people: Sequence[UUID], seconds: float, rounds: int, say: Say
) -> tuple[Rates, Rates]:
    jobs = count(1)
    many, hot = Rates(), Rates()
    async with asyncpg.create_pool(owner, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        await pool.execute("ANALYZE")
        for pair in (_ours, _naive):  # each connection makes its plans
            await _load(pool, pair, people, jobs, _SLICE)
        for turn in range(1, rounds + 1):
            for rates, who, what in ((many, people, f"{PEOPLE:,} people"), (hot, people[:1], "one person")):
                for _ in range(max(1, round(seconds / _SLICE))):
                    rates.ours.append(await _load(pool, _ours, who, jobs, _SLICE))
                    rates.naive.append(await _load(pool, _naive, who, jobs, _SLICE))
                say(
                    f"Round {turn} of {rounds}: reserve + settle, {what}, 1/s:"
                    f" ours {median(rates.ours):,.0f}, naive {median(rates.naive):,.0f}"
                )
    return many, hot


async def _load(
    pool: asyncpg.Pool, pair: Pair, people: Sequence[UUID], jobs: count[int], seconds: float
) -> float:
    """Pairs a second over all connections at once."""
    loop = asyncio.get_running_loop()
    begin = loop.time()

    async def one() -> int:
        done = 0
        chosen = random.Random(0)
        async with pool.acquire() as connection:
            while loop.time() < begin + seconds:
                await pair(connection, chosen.choice(people), next(jobs))
                done += 1
        return done

    done = await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return sum(done) / (loop.time() - begin)


def _require_sound(owner: str) -> None:
    """A rate of a ledger that does not add up is none."""
    with psycopg.connect(owner) as connection:
        row = connection.execute(
            "SELECT (SELECT sum(amount) FROM credit_transactions),"
            " (SELECT sum(total_credits - used_credits) FROM credits), (SELECT sum(reserved_credits) FROM credits)"
        ).fetchone()
    assert row is not None and row[0] == row[1] and row[2] == 0, f"the ledger does not add up: {row}"
