"""The ledger's rules, asked of the database itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from invokeai_saas.db import roles
from invokeai_saas.queue.claims import Claims
from tests.credits.people import call, grant, rows
from tests.factories import fill_every_tenant_table, make_person
from tests.money import violations
from tests.servers import TestDatabase

# The tests of jobs' lives are elsewhere: these reservations have none.
_WITHOUT_JOBS = {"a reservation is held exactly while its job lives", "settlements sum to the usage records"}
LEDGER = (
    "credits", "credit_accounts", "credit_transactions", "credit_allocations", "credit_reservations", "credit_holds",
    "credit_revocations", "usage_records",
)  # fmt: skip
NEVER_CHANGED = ("credit_transactions", "credit_allocations", "credit_revocations", "usage_records")


def _sound(database: TestDatabase) -> bool:
    return not violations(database).keys() - _WITHOUT_JOBS


def _parts(database: TestDatabase, credit: UUID) -> tuple[int, int, int]:
    """(used, reserved, expired) of a grant."""
    ((used, reserved, expired),) = rows(
        database, "SELECT used_credits, reserved_credits, expired_credits FROM credits WHERE id = %s", credit
    )
    return used, reserved, expired


@pytest.mark.parametrize("role", [roles.API, roles.AUTH, roles.WORKER, roles.STAFF, roles.OWNER, None])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET user_id = user_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_no_role_changes_what_is_written(database: TestDatabase, role: str | None, statement: str) -> None:
    """None is the superuser. Grants and reservations do change, by functions; their rows never go."""
    fill_every_tenant_table(database)
    ada = rows(database, "SELECT id FROM users ORDER BY email LIMIT 1")[0][0]
    tables = NEVER_CHANGED if statement.startswith("UPDATE") else LEDGER
    with psycopg.connect(database.url(role), autocommit=True) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, false)", [str(ada)])
        for table in tables:
            with pytest.raises((psycopg.errors.RestrictViolation, psycopg.errors.InsufficientPrivilege)):
                connection.execute(sql.SQL(statement).format(sql.Identifier(table)))


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("UPDATE credits SET total_credits = 9", "rows of credits are never changed"),
        ("UPDATE credits SET user_id = gen_random_uuid()", "rows of credits are never changed"),
        ("UPDATE credits SET used_credits = 501", "ck_credits_sum"),
        ("UPDATE credits SET reserved_credits = -1", "ck_credits_parts"),
        ("UPDATE credits SET valid_until = valid_from", "ck_credits_period"),
        ("SELECT credits_grant(user_id, 0, 'pack', now(), 'infinity', 'a', '') FROM credits", "ck_credit_tran"),
        ("SELECT credits_grant(user_id, -5, 'pack', now(), 'infinity', 'a', '') FROM credits", "ck_credit_tran"),
        ("SELECT credits_grant(user_id, 5, 'pack', now(), now(), 'a', '') FROM credits", "ck_credits_period"),
        ("SELECT _credits_reserve(user_id, 1, 0) FROM credits", "ck_credit_reservations_amount"),
        ("SELECT _credits_reserve(user_id, 1, 501) FROM credits", "insufficient credits"),
        ("SELECT _credits_reserve(user_id, n, 1) FROM credits, unnest(ARRAY[1, 1]) n", "reservations_item_id"),
        (
            "INSERT INTO credit_transactions (user_id, amount, transaction_type, description, reference_id)"
            " SELECT user_id, 5, 'settlement', '', '1' FROM credits",
            "ck_credit_transactions_sign",
        ),
        (
            "INSERT INTO credit_transactions (user_id, amount, transaction_type, description, reference_id)"
            " SELECT user_id, -5, 'settlement', '', '1' FROM credits, generate_series(1, 2)",
            "uq_credit_transactions",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_true_is_refused(database: TestDatabase, statement: str, error: str) -> None:
    make_person(database)
    with psycopg.connect(database.owner) as connection, pytest.raises(psycopg.Error, match=error):
        connection.execute(statement.encode())
    assert _sound(database)


def test_a_reservation_is_resolved_once(database: TestDatabase) -> None:
    ada = make_person(database)
    call(database, "_credits_reserve", ada, 1, 10)
    assert call(database, "_credits_settle", ada, 1, 4, "A picture") == 4
    with pytest.raises(psycopg.Error, match="already resolved"):
        call(database, "_credits_settle", ada, 1, 4, "A picture")
    for change in ("status = 'held', resolved_at = NULL", "amount = 1"):
        with psycopg.connect(database.owner) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(f"UPDATE credit_reservations SET {change}".encode())
    assert _sound(database)


def test_what_expires_first_is_spent_first_whatever_it_came_from(database: TestDatabase) -> None:
    """A plan's credits and packs beside each other; of two that end together the older one goes first."""
    ada = make_person(database, credits=0)
    pack = grant(database, ada, 10, "pack-1", days=60)
    plan = grant(database, ada, 10, "plan", days=20, source="subscription")
    end = datetime.now(UTC) + timedelta(days=40)
    twins = [
        call(
            database,
            "credits_grant",
            ada,
            10,
            "pack",
            datetime(2026, 1, 1, tzinfo=UTC),
            end,
            str(n),
            "A pack",
        )
        for n in range(2)
    ]
    call(database, "_credits_reserve", ada, 1, 35)
    assert [_parts(database, grant)[1] for grant in (plan, *twins, pack)] == [10, 10, 10, 5]
    assert call(database, "_credits_settle", ada, 1, 12, "A picture") == 12
    assert [_parts(database, grant) for grant in (plan, *twins, pack)] == [
        (10, 0, 0),
        (2, 0, 0),
        (0, 0, 0),
        (0, 0, 0),
    ]
    # The next one draws on what is left of the older twin.
    call(database, "_credits_reserve", ada, 2, 9)
    assert [_parts(database, grant)[1] for grant in (plan, *twins, pack)] == [0, 8, 1, 0]
    assert _sound(database)


def test_a_grant_of_the_future_is_not_spent(database: TestDatabase) -> None:
    ada = make_person(database, credits=0)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    call(database, "credits_grant", ada, 10, "pack", tomorrow, tomorrow + timedelta(days=1), "r", "Later")
    assert call(database, "_credits_available", ada) == 0
    with pytest.raises(psycopg.Error, match="insufficient"):
        call(database, "_credits_reserve", ada, 1, 1)


def test_taking_back_leaves_what_is_used_and_reserved(database: TestDatabase) -> None:
    ada = make_person(database, credits=0)
    pack = grant(database, ada, 100, "payment-1")
    call(database, "_credits_reserve", ada, 1, 20)
    call(database, "_credits_settle", ada, 1, 15, "A picture")
    call(database, "_credits_reserve", ada, 2, 30)
    for _ in range(2):
        assert call(database, "credits_revoke", ada, "payment-1", "The payment was refunded") == 55
    assert _parts(database, pack) == (15, 30, 55)
    assert call(database, "_credits_available", ada) == 0
    # The running job is settled from its reservation and no more; what that releases is not to be spent again.
    assert call(database, "_credits_settle", ada, 2, 99, "A picture") == 30
    assert call(database, "credits_expire", 10) == 0
    assert _parts(database, pack) == (45, 0, 55)
    assert _sound(database)


def test_what_a_reservation_releases_after_the_refund_is_written_off(database: TestDatabase) -> None:
    ada = make_person(database, credits=0)
    pack = grant(database, ada, 100, "payment-1")
    call(database, "_credits_reserve", ada, 1, 100)
    assert call(database, "credits_revoke", ada, "payment-1", "The payment was refunded") == 0
    call(database, "_credits_settle", ada, 1, 0, "canceled")
    assert call(database, "_credits_available", ada) == 0
    assert call(database, "credits_expire", 10) == 1
    assert _parts(database, pack) == (0, 0, 100)
    assert rows(database, "SELECT is_open FROM credits") == [(False,)]
    assert _sound(database)


def test_a_refund_that_comes_before_its_grant(database: TestDatabase) -> None:
    """Events of a payment come in any order, and the state is the same."""
    ada, bob = make_person(database, credits=0), make_person(database, credits=0)
    grant(database, ada, 100, "payment-1")
    assert call(database, "credits_revoke", ada, "payment-1", "Refunded") == 100
    assert call(database, "credits_revoke", bob, "payment-1", "Refunded") == 0
    grant(database, bob, 100, "payment-1")
    assert call(database, "credits_revoke", bob, "payment-1", "Refunded") == 100
    query = "SELECT amount, transaction_type, description FROM credit_transactions WHERE user_id = %s ORDER BY amount"
    assert rows(database, query, ada) == rows(database, query, bob) != []
    assert call(database, "_credits_available", bob) == 0
    grant(database, bob, 100, "payment-2")
    assert call(database, "_credits_available", bob) == 100
    assert _sound(database)


def test_settling_and_expiring_at_once_lose_and_charge_nothing_twice(database: TestDatabase) -> None:
    """While a grant expires, its jobs are settled, and others come that may not have any of it any more."""
    ada = make_person(database, credits=0)
    pack = grant(database, ada, 1000, "pack")
    for item in range(40):
        call(database, "_credits_reserve", ada, item, 10)
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE credits SET valid_until = now() WHERE id = %s", [pack])

    def act(item: int) -> int:
        if item % 4 == 0:
            call(database, "credits_expire", 10)
        if item % 5 == 0:
            with pytest.raises(psycopg.Error, match="insufficient"):
                call(database, "_credits_reserve", ada, 1000 + item, 1)
        return int(call(database, "_credits_settle", ada, item, item % 12, "A picture"))

    with ThreadPoolExecutor(4) as pool:
        charged = sum(pool.map(act, range(40)))
    call(database, "credits_expire", 10)
    assert charged == sum(min(item % 12, 10) for item in range(40))
    assert _parts(database, pack) == (charged, 0, 1000 - charged)
    assert _sound(database)


def test_expired_grants_are_closed_and_found_by_their_index(database: TestDatabase) -> None:
    ada = make_person(database, credits=0)
    spent = grant(database, ada, 10, "spent")
    call(database, "_credits_reserve", ada, 1, 10)
    call(database, "_credits_settle", ada, 1, 10, "A picture")
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE credits SET valid_until = now() WHERE id = %s", [spent])
    assert call(database, "credits_expire", 10) == 0  # nothing to write off
    assert rows(database, "SELECT is_open FROM credits") == [(False,)]
    with psycopg.connect(database.owner) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(
            "EXPLAIN SELECT id FROM credits WHERE is_open AND valid_until <= now()"
        ).fetchall()
    assert "ix_credits_open" in str(plan)


def test_figures_that_disagree_with_the_ledger_are_found(database: TestDatabase) -> None:
    ada, bob = make_person(database), make_person(database)
    for person, item in ((ada, 1), (bob, 2)):
        call(database, "_credits_reserve", person, item, 10)
    call(database, "_credits_settle", ada, 1, 4, "A picture")
    claims = Claims(database.url(roles.WORKER))
    try:
        assert claims.disagreements() == []
        for change in ("used_credits = used_credits + 1", "reserved_credits = reserved_credits - 1"):
            with psycopg.connect(database.owner) as connection:
                connection.execute(f"UPDATE credits SET {change} WHERE user_id = %s".encode(), [bob])
        assert [person for person, _ in claims.disagreements()] == [bob]
    finally:
        claims.close()


def _low(database: TestDatabase, user_id: UUID) -> datetime | None:
    ((moment,),) = rows(database, "SELECT low_since FROM credit_accounts WHERE user_id = %s", user_id)
    found: datetime | None = moment
    return found


def test_low_credits_are_told_once_until_there_are_more(database: TestDatabase) -> None:
    ada = make_person(database, credits=30)
    call(database, "_credits_reserve", ada, 1, 25)  # 5 are free, but nothing is spent yet
    call(database, "_credits_settle", ada, 1, 20, "A picture")
    assert _low(database, ada) is None  # 10 are left
    for item in (2, 3):
        call(database, "_credits_reserve", ada, item, 1)
        call(database, "_credits_settle", ada, item, 1, "A picture")
    assert _low(database, ada) is not None
    grant(database, ada, 1, "one more")  # still fewer than 10
    assert _low(database, ada) is not None
    grant(database, ada, 20, "enough")
    assert _low(database, ada) is None
    call(database, "_credits_reserve", ada, 4, 20)
    call(database, "_credits_settle", ada, 4, 20, "A picture")
    assert _low(database, ada) is not None
    told = rows(
        database, "SELECT kind, data ->> 'available', key FROM mail_outbox WHERE kind = 'low_credits'"
    )
    assert [(kind, left) for kind, left, _ in told] == [("low_credits", "9"), ("low_credits", "9")]
    assert len({key for *_, key in told}) == 2
