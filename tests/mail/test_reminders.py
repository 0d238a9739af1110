"""Who is reminded of what, and when: a trial that ends, data that will be deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from invokeai_saas.db import roles
from invokeai_saas.mail.reminders import Reminders
from invokeai_saas.mail.sending import Mailer
from invokeai_saas.queue.claims import Claims
from tests.factories import make_person
from tests.mail.box import Mailbox
from tests.servers import TestDatabase


@pytest.fixture
def reminders(database: TestDatabase) -> Iterator[Reminders]:
    claims = Claims(database.url(roles.WORKER))
    yield Reminders(claims)
    claims.close()


def _trial(
    box: Mailbox, *, ends_in: timedelta, lasts: timedelta = timedelta(days=7), credits: int = 500
) -> UUID:
    """Somebody on a trial, or after one."""
    ada = make_person(box.database, credits=credits)
    end = datetime.now(UTC) + ends_in
    box.execute(
        "UPDATE user_subscriptions SET status = 'trialing', current_period_start = %s, current_period_end = %s,"
        " trial_end = %s WHERE user_id = %s",
        end - lasts, end, end, ada,
    )  # fmt: skip
    return ada


def _pass(box: Mailbox, days: float) -> None:
    """Lets time go by for the records."""
    step = timedelta(days=days)
    box.execute(
        "UPDATE user_subscriptions SET trial_end = trial_end - %s, current_period_start = current_period_start - %s,"
        " current_period_end = current_period_end - %s", step, step, step,
    )  # fmt: skip
    box.execute("UPDATE mail_outbox SET created_at = created_at - %s, sent_at = sent_at - %s", step, step)
    box.execute("UPDATE account_lapses SET since = since - %s, delete_after = delete_after - %s", step, step)


def _lapse(box: Mailbox) -> None:
    """The scheduler writes down whose plans have run out."""
    box.execute("SELECT billing_sweep(30)")


def _deletion(box: Mailbox, user_id: UUID) -> datetime | None:
    found: datetime | None = box.execute("SELECT billing_deletion_at(%s) AS at", user_id)[0]["at"]
    return found


def _near(moment: datetime | None, days: float) -> bool:
    assert moment is not None
    return abs(moment - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=1)


def test_a_trial_is_said_to_end_two_days_before_once(
    reminders: Reminders, box: Mailbox, mailer: Mailer
) -> None:
    early = _trial(box, ends_in=timedelta(days=2, minutes=5))
    soon = _trial(box, ends_in=timedelta(days=1, hours=23), credits=300)
    short = _trial(box, ends_in=timedelta(hours=20), lasts=timedelta(days=1))
    over = _trial(box, ends_in=timedelta(hours=-1))
    paid = _trial(box, ends_in=timedelta(days=1))
    box.execute("UPDATE user_subscriptions SET status = 'active' WHERE user_id = %s", paid)
    for _ in range(2):
        reminders.remind()
    assert box.kinds(soon) == ["trial_ending"]
    assert [box.kinds(person) for person in (early, short, over, paid)] == [[], [], [], []]
    _pass(box, 1)
    reminders.remind()
    assert (box.kinds(soon), box.kinds(early)) == (["trial_ending"], ["trial_ending"])
    assert mailer.send_due() == 2
    bodies = [part.get_content() for mail in box.arrived() if (part := mail.get_body(("plain",)))]
    assert any("300 credits" in " ".join(body.split()) for body in bodies)


def test_data_is_deleted_thirty_days_after_the_trial_with_two_warnings(
    reminders: Reminders, box: Mailbox, mailer: Mailer
) -> None:
    ada = _trial(box, ends_in=timedelta(days=-22, hours=-23))
    _lapse(box)
    assert _near(_deletion(box, ada), 7 + 1 / 24)
    reminders.remind()
    assert box.kinds(ada) == []
    _pass(box, 1 / 24)
    for _ in range(2):
        reminders.remind()
    assert box.kinds(ada) == ["deletion_warning"]
    assert _near(_deletion(box, ada), 7)
    assert mailer.send_due() == 1
    for _ in range(5):
        _pass(box, 1)
        reminders.remind()
    assert len(box.rows()) == 1
    _pass(box, 1.01)
    for _ in range(2):
        reminders.remind()
    assert [row["key"].rpartition(":")[2] for row in box.rows()] == ["7", "1"]
    _, second = (row["data"]["delete_at"] for row in box.rows())
    assert _near(datetime.fromisoformat(second), 1)  # a whole day, though the scheduler looked late
    assert mailer.send_due() == 1
    _pass(box, 1)
    assert (_deletion(box, ada) or datetime.max.replace(tzinfo=UTC)) < datetime.now(UTC)
    reminders.remind()
    assert len(box.rows()) == 2


def test_nothing_is_deleted_before_a_warning_has_stood_for_seven_days(
    reminders: Reminders, box: Mailbox, mailer: Mailer
) -> None:
    """Also when the scheduler, or the mail server, was away while it should have gone out."""
    ada = _trial(box, ends_in=timedelta(days=-40))
    _lapse(box)
    assert _near(_deletion(box, ada), 7)
    _pass(box, 3)
    assert _near(_deletion(box, ada), 7)
    reminders.remind()
    _pass(box, 3)
    assert _near(_deletion(box, ada), 7)
    assert mailer.send_due() == 1
    _pass(box, 3)
    assert _near(_deletion(box, ada), 4)
    assert [row["key"].rpartition(":")[2] for row in box.rows()] == ["7"]


@pytest.mark.parametrize("what", ["a plan", "a pack", "a running trial"])
def test_whoever_has_a_plan_or_a_pack_is_left_alone(reminders: Reminders, box: Mailbox, what: str) -> None:
    ada = _trial(box, ends_in=timedelta(days=-29))
    if what == "a running trial":
        _pass(box, -35)
    elif what == "a pack":
        box.execute(
            "SELECT credits_grant(%s, 1000, 'pack', now(), now() + interval '60 days', 'p1', 'Pack')", ada
        )
    else:
        box.execute("UPDATE user_subscriptions SET status = 'expired'")
        box.execute(
            "INSERT INTO user_subscriptions (user_id, plan_id, status, current_period_start, current_period_end)"
            " SELECT %s, id, 'active', now() - interval '2 days', now() + interval '1 day'"
            " FROM subscription_plans WHERE slug = 'starter'", ada,
        )  # fmt: skip
    _lapse(box)
    assert _deletion(box, ada) is None
    reminders.remind()
    assert "deletion_warning" not in box.kinds(ada)


def test_the_looks_are_by_index(box: Mailbox) -> None:
    """Plans of what the passes ask, where sequential scans are dear: none of them reads a table from end to end."""
    with psycopg.connect(box.database.owner) as connection:
        connection.execute("SET enable_seqscan = off")
        for query in (
            "SELECT id FROM user_subscriptions WHERE trial_end > now() AND trial_end <= now() + interval '2 days'",
            "SELECT id FROM mail_outbox WHERE state = 'waiting' AND due_at <= now() ORDER BY due_at LIMIT 1",
        ):
            plan: Any = connection.execute(f"EXPLAIN {query}".encode()).fetchall()
            assert "Seq Scan" not in str(plan), plan
