"""The outbox on a real database: each mail goes out, once as far as we know, and none is lost."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage

import psycopg
import pytest

from invokeai_saas.db import roles
from invokeai_saas.db.session import open_database
from invokeai_saas.errors import SetupError
from invokeai_saas.mail import repository, service
from invokeai_saas.mail.adapters import NotSent
from invokeai_saas.mail.sending import Mailer
from invokeai_saas.settings import Settings
from tests.factories import make_person
from tests.mail.adapters.ways import BUSY, GONE, LOOPBACK, smtp_server
from tests.mail.box import Mailbox
from tests.servers import TestDatabase


async def test_a_mail_is_sent_if_its_transaction_is_committed(
    settings: Settings, database: TestDatabase, mailer: Mailer, box: Mailbox
) -> None:
    ada = make_person(database, "ada@example.com")
    pools = open_database(settings)
    async with pools.write(ada) as db:
        assert await service.enqueue(db, "low_credits", "a", {"available": 3})
        assert not await service.enqueue(db, "low_credits", "a", {"available": 2})
    with suppress(ZeroDivisionError):
        async with pools.write(ada) as db:
            assert await service.enqueue(db, "low_credits", "b", {"available": 3})
            raise ZeroDivisionError
    with pytest.raises(ValueError, match="available"):
        async with pools.write(ada) as db:
            await service.enqueue(db, "low_credits", "c", {})
    with pytest.raises(TypeError):
        async with pools.authenticate() as auth:
            await service.enqueue(auth, "welcome", "once")
    await pools.close()
    assert mailer.send_due() == 1
    assert mailer.send_due() == 0
    [mail] = box.arrived()
    assert (mail["To"], mail["Subject"]) == ("ada@example.com", "Your credits are running low")
    [row] = box.rows()
    assert (row["state"], row["attempts"], row["error"]) == ("sent", 1, None)
    assert mail["Message-ID"] == f"<{row['id']}@invokeai.localhost>"


def test_files_are_their_owners_alone(mailer: Mailer, box: Mailbox, database: TestDatabase) -> None:
    box.put(make_person(database))
    mailer.send_due()
    [file] = box.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_persons_language_is_spoken(mailer: Mailer, box: Mailbox, database: TestDatabase) -> None:
    ada = make_person(database)
    box.execute("UPDATE users SET language = 'ko' WHERE id = %s", ada)
    box.put(ada)
    mailer.send_due()
    [mail] = box.arrived()
    assert mail["Subject"] == "InvokeAI에 오신 것을 환영합니다"
    assert mail["Content-Language"] == "ko"


@pytest.mark.parametrize("verified", [True, False])
def test_a_name_is_used_once_its_address_is_confirmed(
    mailer: Mailer, box: Mailbox, database: TestDatabase, verified: bool
) -> None:
    """Else a stranger's words could be sent to anybody, as somebody's name."""
    ada = make_person(database)
    box.execute(
        "UPDATE users SET name = 'Buy at http://x.example', email_verified_at = %s WHERE id = %s",
        "2026-01-01" if verified else None, ada,
    )  # fmt: skip
    box.put(ada)
    mailer.send_due()
    assert ("http://x.example" in box.arrived()[0].as_string()) is verified


def _away(mail: EmailMessage) -> None:
    raise NotSent("the server is away")


def test_what_is_not_taken_is_tried_again_ever_more_slowly_and_then_given_up(
    settings: Settings, box: Mailbox, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer = Mailer(settings.model_copy(update={"mail_attempts": 3}))
    good: Callable[[EmailMessage], None] = mailer._adapter.send
    monkeypatch.setattr(mailer._adapter, "send", _away)
    mail_id = box.put(make_person(database))
    pauses = []
    for _ in range(3):
        assert mailer.send_due() == 0
        assert mailer.send_due() == 0  # not due yet
        [row] = box.execute(
            "SELECT *, round(extract(epoch FROM due_at - now()) / 30) AS pause FROM mail_outbox"
        )
        pauses.append((row["state"], row["attempts"], int(row["pause"])))
        box.execute("UPDATE mail_outbox SET due_at = now()")
    assert pauses == [("waiting", 1, 1), ("waiting", 2, 2), ("failed", 3, 4)]
    assert row["error"] == "the server is away"
    monkeypatch.setattr(mailer._adapter, "send", good)
    assert mailer.send_due() == 0
    with psycopg.connect(database.owner, row_factory=psycopg.rows.dict_row) as connection:
        assert repository.retry(connection, [mail_id] if mail_id else None) == 1
    assert mailer.send_due() == 1
    mailer.close()


def test_an_address_that_does_not_exist_is_given_up_at_once(
    settings: Settings, box: Mailbox, database: TestDatabase
) -> None:
    people = [make_person(database, email) for email in (GONE, BUSY, "ada@example.com")]
    for person in people:
        box.put(person)
    with smtp_server() as (inbox, port):
        changes = {"mail_adapter": "smtp", "mail_from": "post@invokeai.example"}
        there = Settings.model_validate(
            settings.model_dump() | changes | {"smtp_url": f"smtp+plain://{LOOPBACK}:{port}"}
        )
        mailer = Mailer(there)
        assert mailer.send_due() == 1
        mailer.close()
    states = {row["user_id"]: (row["state"], row["error"]) for row in box.rows()}
    assert states[people[0]] == ("failed", "550 5.1.1 no such mailbox")
    assert states[people[1]] == ("waiting", "450 4.2.1 try again later")
    assert states[people[2]] == ("sent", None)
    assert [recipients for recipients, _ in inbox.taken] == [["ada@example.com"]]


def test_a_row_that_no_mail_can_be_made_of_stops_nobody(
    mailer: Mailer, box: Mailbox, database: TestDatabase
) -> None:
    ada = make_person(database)
    box.put(ada, "trial_ending", "broken", nonsense=1)
    box.put(ada)
    assert mailer.send_due() == 1
    assert {row["kind"]: row["state"] for row in box.rows()} == {"trial_ending": "failed", "welcome": "sent"}


def test_who_dies_with_a_mail_in_hand_leaves_it_to_others(
    mailer: Mailer, box: Mailbox, database: TestDatabase
) -> None:
    mail_id = box.put(make_person(database))
    with psycopg.connect(
        database.url(roles.AUTH), autocommit=True, row_factory=psycopg.rows.dict_row
    ) as connection:
        [claimed] = repository.claim(connection, 1, 60, 3)
        assert mailer.send_due() == 0  # its lease holds
        box.execute("UPDATE mail_outbox SET due_at = now() - interval '1 second'")
        assert mailer.send_due() == 1
        # Should the first one wake up, its word counts no more.
        repository.failed(connection, claimed.id, claimed.attempt, "late", final=True)
        [row] = box.rows()
        assert (row["id"], row["state"], row["attempts"]) == (mail_id, "sent", 2)
        box.execute("UPDATE mail_outbox SET state = 'waiting', sent_at = NULL, attempts = 3, due_at = now()")
        assert repository.claim(connection, 1, 60, 3) == []
    [row] = box.rows()
    assert (row["state"], row["error"]) == ("failed", "the process that sent it went away each time")


def test_many_senders_send_each_mail_once(settings: Settings, box: Mailbox, database: TestDatabase) -> None:
    ada = make_person(database)
    for number in range(40):
        box.put(ada, key=str(number))
    mailers = [Mailer(settings) for _ in range(4)]
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda mailer=mailer: counts.append(mailer.send_due())) for mailer in mailers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mailer in mailers:
        mailer.close()
    assert sum(counts) == 40 == len(box.arrived())
    assert {row["attempts"] for row in box.rows()} == {1}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"deployment_mode": "saas"}, "MAIL_ADAPTER"),
        ({"mail_adapter": "smtp"}, "MAIL_FROM"),
        ({"mail_adapter": "smtp", "mail_from": "a@b.example"}, "SMTP_URL"),
        ({"database_auth_url": ""}, "DATABASE_AUTH_URL"),
    ],
)
def test_what_is_missing_is_said_at_the_start(
    settings: Settings, changes: dict[str, str], complaint: str
) -> None:
    with pytest.raises(SetupError, match=complaint):
        Mailer(Settings.model_validate(settings.model_dump() | changes))


@pytest.mark.parametrize("role", [roles.API, roles.WORKER])
def test_only_the_auth_role_takes_mails_out(database: TestDatabase, box: Mailbox, role: str) -> None:
    ada, bob = make_person(database), make_person(database)
    box.put(bob)
    with psycopg.connect(database.url(role), autocommit=True) as connection:
        for statement in ("SELECT * FROM mail_claim(1, 60, 3)", "SELECT * FROM mail_links",
                          "SELECT mail_failed(gen_random_uuid(), 1, '', true)"):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        connection.execute("SELECT mail_enqueue(%s, 'welcome', 'once', '{}')", [ada])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE mail_outbox SET state = 'waiting'")


def test_people_see_their_own_mails_alone(database: TestDatabase, box: Mailbox) -> None:
    ada, bob = make_person(database), make_person(database)
    box.put(ada)
    box.put(bob)
    with psycopg.connect(database.url(roles.API)) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(ada)])
        assert connection.execute("SELECT user_id FROM mail_outbox").fetchall() == [(ada,)]
