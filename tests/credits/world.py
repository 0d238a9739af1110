"""A small world for the ledger: three people, jobs, and connections that work at the same time and get killed.

It knows what must have been granted and charged from what it did and was answered; the rest the database's own sums
have to agree with (tests/money.py).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from queue import SimpleQueue
from typing import Any
from uuid import UUID, uuid4

import psycopg

from tests.factories import make_person
from tests.money import violations_seen
from tests.servers import TestDatabase

Connection = psycopg.Connection[tuple[Any, ...]]
Act = Callable[[Connection], None]
PEOPLE = 3
REFERENCES = 12
_HANDS = 5
_LEFT_BEHIND = (
    "images", "usage_records", "credit_allocations", "credit_transactions", "credit_holds", "credit_reservations",
    "credit_revocations", "credits", "credit_accounts", "job_attempts", "session_queue", "job_batches", "queue_lanes",
    "user_subscriptions", "users",
)  # fmt: skip
_items = count(1)


def amount_of(reference: int) -> int:
    """What a payment's credits are: the same whenever it is told."""
    return 5 + reference * 7


class World:
    """One database; `begin` makes it anew."""

    def __init__(self, database: TestDatabase) -> None:
        self._database = database
        self._eye: Connection = psycopg.connect(database.url(), autocommit=True)
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        for _ in range(_HANDS):
            self._idle.put(self._connect())
        self._pool = ThreadPoolExecutor(_HANDS)
        self._lock = threading.Lock()
        self.people: list[UUID] = []
        self.granted: dict[tuple[UUID, int], int] = {}
        self.charged: dict[int, int] = {}
        self.attempts: list[tuple[UUID, int]] = []

    def _connect(self) -> Connection:
        return psycopg.connect(self._database.owner, autocommit=True)

    def begin(self) -> None:
        """Nobody has anything yet."""
        with self._eye.transaction():
            self._eye.execute("SET LOCAL session_replication_role = replica")
            for table in _LEFT_BEHIND:
                self._eye.execute(f"DELETE FROM {table}".encode())
        self.people = [make_person(self._database, credits=0) for _ in range(PEOPLE)]
        with self._eye.transaction():
            self._eye.execute(
                "UPDATE user_subscriptions SET plan_id = (SELECT id FROM subscription_plans WHERE slug = 'studio')"
            )
        self.granted, self.charged, self.attempts = {}, {}, []

    def close(self) -> None:
        self._pool.shutdown()
        while not self._idle.empty():
            self._idle.get().close()
        self._eye.close()

    @contextmanager
    def _hand(self) -> Iterator[Connection]:
        connection = self._idle.get()
        try:
            yield connection
        finally:
            if connection.closed or connection.broken:
                connection = self._connect()
            self._idle.put(connection)

    # What can be done. Each is an act that may run beside others.

    def grant(self, person: UUID, reference: int, life: int) -> Act:
        """A payment is told. Parameters: life: days until expiry; some grants expire together."""

        def act(connection: Connection) -> None:
            connection.execute(
                "SELECT credits_grant(%s, %s, 'pack', now() - interval '1 minute',"
                " date_trunc('day', now()) + make_interval(days => %s), %s, 'A pack')",
                [person, amount_of(reference), life, f"payment-{reference}"],
            )
            with self._lock:
                self.granted[person, reference] = amount_of(reference)

        return act

    def revoke(self, person: UUID, reference: int) -> Act:
        """A payment is paid back, whether it was told before or will be."""

        def act(connection: Connection) -> None:
            row = connection.execute(
                "SELECT credits_revoke(%s, %s, 'Refunded')", [person, f"payment-{reference}"]
            ).fetchone()
            assert row is not None and 0 <= row[0] <= amount_of(reference)

        return act

    def enqueue(self, person: UUID, jobs: int, estimate: int) -> Act:
        """Reserves for jobs, all or nothing."""
        wanted: list[dict[str, Any]] = [
            {
                "item_id": next(_items), "session_id": str(uuid4()), "estimate": estimate, "model_keys": [],
                "model_name": "m", "steps": 1, "width": 8, "height": 8, "field_values": [], "retried_from": None,
            }
            for _ in range(jobs)
        ]  # fmt: skip
        batch = uuid4()

        def act(connection: Connection) -> None:
            try:
                with connection.transaction():
                    connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(person)])
                    connection.execute(
                        "SELECT * FROM queue_enqueue(%s, '{\"nodes\": {}}', NULL, NULL, NULL, false, %s, 1000)",
                        [batch, json.dumps(wanted)],
                    )
            except psycopg.errors.UniqueViolation:
                pass  # said before the connection was lost
            except psycopg.Error as error:
                if error.sqlstate != "SC402":
                    raise
                detail = json.loads(error.diag.message_detail or "{}")
                assert detail["needed"] == jobs * estimate > detail["available"] >= 0

        return act

    def claim(self, connection: Connection) -> None:
        """A worker takes a job of somebody."""
        row = connection.execute(
            "SELECT attempt_id, item_id FROM queue_claim('high_performance', 'w', '{}', 60, 0, 3600)"
        ).fetchone()
        if row is not None:
            with self._lock:
                self.attempts.append((row[0], row[1]))

    def beat(self, number: int, seconds: int) -> Act:
        """A running job reports, and its reservation grows as far as there are credits."""

        def act(connection: Connection) -> None:
            attempt = self._attempt(number)
            if attempt:
                row = connection.execute(
                    "SELECT queue_heartbeat(%s, 60, %s, 5)", [attempt[0], seconds]
                ).fetchone()
                assert row is not None and row[0] in ("ok", "spent", "lost", "cancel")

        return act

    def finish(self, number: int, seconds: int, outcome: str) -> Act:
        """A worker reports an end: of a job that runs, or of one that has ended long ago."""

        def act(connection: Connection) -> None:
            attempt = self._attempt(number)
            if attempt is None:
                return
            row = connection.execute(
                "SELECT accepted, charged FROM queue_finish(%s, %s, %s, NULL, NULL, NULL, NULL, NULL)",
                [attempt[0], outcome, seconds],
            ).fetchone()
            assert row is not None
            accepted, charged = row
            if accepted:
                with self._lock:
                    assert attempt[1] not in self.charged, "settled twice"
                    assert charged <= max(1, seconds) and (outcome != "failed" or charged == 0)
                    self.charged[attempt[1]] = charged

        return act

    def cancel(self, person: UUID) -> Act:
        """Releases what waits and asks what runs to stop."""

        def act(connection: Connection) -> None:
            with connection.transaction():
                connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(person)])
                connection.execute(
                    "SELECT count(*) FROM queue_cancel(ARRAY(SELECT item_id FROM session_queue WHERE user_id = %s))",
                    [person],
                )

        return act

    def let_expire(self, person: UUID, connection: Connection) -> None:
        """The time of a person's oldest grant is over. With its account locked, as time itself would not have to."""
        with connection.transaction():
            connection.execute("SELECT _credits_lock(%s)", [person])
            connection.execute(
                "UPDATE credits SET valid_until = now() WHERE id = (SELECT id FROM credits WHERE user_id = %s"
                " AND valid_until > now() ORDER BY valid_until, created_at, id LIMIT 1)",
                [person],
            )

    @staticmethod
    def expire(connection: Connection) -> None:
        """The scheduler writes off."""
        connection.execute("SELECT credits_expire(100)")

    @staticmethod
    def lose_workers(connection: Connection) -> None:
        """Every lease runs out, and the scheduler reaps."""
        connection.execute(
            "UPDATE job_attempts SET lease_until = now() - interval '1 second' WHERE outcome IS NULL"
        )
        while connection.execute("SELECT * FROM queue_reap(3)").fetchone() is not None:
            pass

    def _attempt(self, number: int) -> tuple[UUID, int] | None:
        with self._lock:
            return self.attempts[number % len(self.attempts)] if self.attempts else None

    # How it is done.

    def do(self, *acts: Act) -> None:
        """All of them at the same time, each over a connection of its own."""

        def run(act: Act) -> None:
            with self._hand() as connection:
                act(connection)

        for done in [self._pool.submit(run, act) for act in acts]:
            done.result()

    def do_and_die(self, act: Act) -> None:
        """In a transaction whose connection is killed before it commits: nothing of it may be left."""
        before, known = self._ledger(), (dict(self.granted), dict(self.charged), list(self.attempts))
        with self._hand() as connection:
            with suppress(psycopg.OperationalError), connection.transaction():
                act(connection)
                self._kill(connection)
                connection.execute("SELECT 1")  # does not come back
            connection.close()  # that it has been killed may not have come through yet
        self.granted, self.charged, self.attempts = known
        assert self._ledger() == before

    def do_and_die_somewhere(self, act: Act, delay: float) -> None:
        """Killed at any moment, perhaps after the commit; then said once more, as a client would who heard nothing."""
        with self._hand() as connection:
            killer = threading.Timer(delay, self._kill, [connection])
            killer.start()
            with suppress(psycopg.OperationalError):
                act(connection)
            killer.cancel()
            killer.join()
            connection.close()  # it may have been killed after the act and not know yet
        before = dict(self.charged)
        self.do(act)
        for item, charged in self._settlements().items():  # one that was not heard of counts as it stands
            self.charged.setdefault(item, charged)
        assert before.items() <= self.charged.items()

    def _kill(self, connection: Connection) -> None:
        with suppress(psycopg.OperationalError):
            self._eye_kill(connection.info.backend_pid)

    def _eye_kill(self, pid: int) -> None:
        with psycopg.connect(self._database.url(), autocommit=True) as superuser:
            superuser.execute("SELECT pg_terminate_backend(%s)", [pid])
        time.sleep(0.001)

    # What must be true.

    def _ledger(self) -> Sequence[tuple[Any, ...]]:
        return self._eye.execute(
            "SELECT 't', id, amount FROM credit_transactions UNION ALL SELECT 'r', id, amount FROM credit_reservations"
            " WHERE status = 'held' UNION ALL SELECT 'c', id, used_credits + 1000 * reserved_credits FROM credits"
            " ORDER BY 1, 2"
        ).fetchall()

    def _settlements(self) -> dict[int, int]:
        rows = self._eye.execute(
            "SELECT reference_id::bigint, -amount FROM credit_transactions WHERE transaction_type = 'settlement'"
        ).fetchall()
        return dict(rows)

    def check(self) -> None:
        """Sums are exact, nothing is below zero, each settlement and each grant is there once."""
        found = violations_seen(self._eye)
        assert found == {}, found
        assert self._settlements() == {item: charged for item, charged in self.charged.items() if charged}
        rows = self._eye.execute(
            "SELECT user_id, reference_id, amount FROM credit_transactions WHERE transaction_type = 'grant'"
        ).fetchall()
        assert sorted(rows) == sorted(
            (person, f"payment-{reference}", amount) for (person, reference), amount in self.granted.items()
        )
        spendable = self._eye.execute(
            "SELECT r.reference_id FROM credit_revocations r JOIN credit_transactions t ON t.user_id = r.user_id"
            " AND t.transaction_type = 'grant' AND t.reference_id = r.reference_id"
            " JOIN credit_allocations a ON a.transaction_id = t.id JOIN credits c ON c.id = a.credit_id"
            " WHERE c.valid_until > now()"
        ).fetchall()
        assert spendable == [], "paid back and not ended"
