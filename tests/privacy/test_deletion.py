"""Deletion: who may ask for it, what of a person is left, and whatever it is interrupted by."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from invokeai_saas.errors import SetupError
from invokeai_saas.organisations import admin as organisations
from invokeai_saas.privacy.declared import ERASED, HELD, KEPT
from invokeai_saas.privacy.proofs import proof
from invokeai_saas.privacy.records import InHand, Lost, PrivacyRecords
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, Subject
from tests.graphs import add_model, batch_body, picture_graph
from tests.money import violations
from tests.privacy.world import NAME, PATH, World
from tests.waiting import eventually
from tests.workers import working

# Where the id of somebody who was deleted still stands: it leads to a row of `users` that says nothing of them.
STAYS = {f"{held.table}.{held.person}" for held in HELD if held.stays} | {"users.id", "audit_log.thing"}


async def _generate(world: World, person: Subject) -> tuple[int, str | None]:
    world.model = world.model or add_model(world.shop.database)["key"]
    body = batch_body(picture_graph(key=world.model))
    answer = await person.post("/api/v1/queue/default/enqueue_batch", json=body)
    return answer.status_code, answer.json().get("code")


def _needles(user_id: UUID | None, email: str, customer: str) -> list[str]:
    plain = str(user_id).replace("-", "")
    return [str(user_id), plain, plain[:16], email, NAME, "Lovelace", customer]


async def test_nothing_of_a_person_is_left_but_bookings_that_say_no_name(world: World) -> None:
    ada = await world.person()
    bob = await world.person("bob@example.com")
    world.execute("UPDATE users SET name = 'Bob' WHERE id = %s", bob.user_id)
    for table in ("client_state", "workflow_library"):  # Bob's rows have a name of his own
        column = {"client_state": "value", "workflow_library": "name"}[table]
        world.execute(f"UPDATE {table} SET {column} = 'Bob' WHERE user_id = %s", bob.user_id)
    email, customer = "ada.lovelace@example.com", world.shop.customer(ada)
    needles = _needles(ada.user_id, email, customer)
    assert {"users.email", "mail_outbox.user_id", "stripe_events.payload", "images.s3_key"} <= world.traces(
        *needles
    )
    assert {found for found in world.traces(email) if found.startswith("redis:")}
    bobs = _counts(world, bob)
    money = world.rows("SELECT sum(amount), count(*) FROM payments WHERE user_id = %s", ada.user_id)
    await world.ask(ada)
    await world.finish()
    assert world.traces(str(ada.user_id)) == STAYS
    own = [needle for needle in needles[1:] if needle not in (NAME, "Lovelace")]
    assert world.traces(*own) == set()
    assert world.rows("SELECT count(*) FROM usage_records WHERE model_used LIKE '%%Lovelace%%'") == [
        (1,)
    ]  # Bob's
    assert world.keys(ada.user_id) == []  # type: ignore[arg-type]
    assert world.rows("SELECT sum(amount), count(*) FROM payments WHERE user_id = %s", ada.user_id) == money
    ((name, active, deleted, address),) = world.rows(
        "SELECT name, is_active, deleted_at IS NOT NULL, email FROM users WHERE id = %s", ada.user_id
    )
    assert (name, active, deleted) == ("Deleted", False, True)
    assert address.endswith("@deleted.invalid")
    assert _counts(world, bob) == bobs
    assert len(world.keys(bob.user_id)) == 6  # type: ignore[arg-type]
    assert (await bob.get("/api/v1/account/summary")).status_code == 200


def _counts(world: World, person: Subject) -> dict[str, int]:
    """How many rows there are of somebody's. Links of mails come and go by themselves."""
    query = "SELECT count(*) FROM {} WHERE {} = %s"
    return {
        held.table: world.rows(query.format(held.table, held.person), person.user_id)[0][0]
        for held in HELD
        if held.table not in ("mail_links", "mail_outbox", "account_deletions")
    }


async def test_stripe_forgets_and_what_it_tells_later_is_not_kept(world: World) -> None:
    ada = await world.person()
    customer = world.shop.customer(ada)
    await world.ask(ada)
    await world.finish()
    client = world.shop.stripe.client
    gone = await asyncio.to_thread(client.v1.customers.retrieve, customer)
    assert gone.to_dict() == {"id": customer, "object": "customer", "deleted": True}
    assert (await asyncio.to_thread(client.v1.customers.list)).data == []
    await world.shop.deliver()
    assert world.traces(customer, "ada.lovelace") == set()
    assert world.rows("SELECT count(*) FROM user_subscriptions WHERE user_id = %s", ada.user_id) == [(0,)]


async def test_the_proof_tells_what_and_not_whose(world: World) -> None:
    ada = await world.person()
    asked = await world.ask(ada)
    await world.finish()
    ((proof_id,),) = world.rows("SELECT id FROM deletion_proofs")
    (mail,) = [
        found
        for found in world.box.arrived()
        if "deleted" in found["Subject"] and "has been" in found["Subject"]
    ]
    assert mail["To"] == "ada.lovelace@example.com"
    part = mail.get_body(("plain",))
    said = part.get_content() if part else ""
    owner = world.shop.database.owner
    found = proof(owner, str(proof_id))
    assert found.intact and found.finished_at is not None
    assert str(proof_id) in said and found.hash in said
    report = found.report
    assert report["reason"] == "asked"
    assert datetime.fromisoformat(report["requested_at"]) == datetime.fromisoformat(asked["requested_at"])
    assert report["files"] == {"count": 6, "bytes": 55}
    assert report["stripe"]["deleted"] and report["stripe"]["confirmation"].startswith("req_")
    assert report["stripe"]["confirmation"] in said
    assert report["rows"].items() >= {"images": 1, "boards": 1, "models": 2, "auth_sessions": 2}.items()
    assert set(report["rows"]) <= {*ERASED, "stripe_events"}
    assert report["kept"]["payments"] == 3
    assert {str(ada.user_id), "Lovelace"} & set(str(report).split("'")) == set()
    with pytest.raises(SetupError):
        proof(owner, str(ada.user_id))
    with pytest.raises(SetupError):
        proof(owner, "no number")


async def test_a_proof_that_was_changed_is_found_out_with_all_that_follow(world: World) -> None:
    owner = world.shop.database.owner
    with psycopg.connect(owner) as connection:
        made = [
            connection.execute("SELECT _privacy_prove(%s)", [f'{{"n": {n}}}']).fetchone() for n in range(3)
        ]
        ids = [str(row[0]) for row in made if row]
    assert [proof(owner, one).intact for one in ids] == [True, True, True]
    for statement in (
        "UPDATE deletion_proofs SET report = '{}'",
        "DELETE FROM deletion_proofs",
        "TRUNCATE deletion_proofs",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation), psycopg.connect(owner) as connection:
            connection.execute(statement.encode())
    with psycopg.connect(world.shop.database.url()) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE deletion_proofs SET report = '{\"n\": 7}' WHERE id = %s", [ids[1]])
    assert [proof(owner, one).intact for one in ids] == [True, False, False]


async def test_it_can_be_taken_back_and_meanwhile_nothing_is_made(world: World) -> None:
    ada = await world.shop.api.person("ada@example.com")
    await world.shop.subscribe(ada)
    assert (await ada.get(PATH)).json() == {"requested_at": None, "delete_at": None}
    wrong = await ada.post(PATH, json={"password": "Wrong-horse-7"})
    assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, ["body", "password"])
    asked = await world.ask(ada)
    assert await world.ask(ada) == asked
    assert (await ada.get(PATH)).json() == asked
    world.execute("UPDATE account_deletions SET delete_at = now() + interval '7 days'")
    assert await _generate(world, ada) == (403, "account_deleting")
    assert (await ada.get("/api/v1/images/")).status_code == 200
    await world.look()
    assert world.rows("SELECT started_at FROM account_deletions") == [(None,)]
    # What was paid for has ended at once.
    assert world.shop.subscription(ada)["status"] == "canceled"
    await world.shop.deliver()
    assert (await world.shop.summary(ada))["plan"] is None
    for _ in range(2):
        answer = await ada.request("DELETE", PATH)
        assert (answer.status_code, answer.json()) == (200, {"requested_at": None, "delete_at": None})
    await world.shop.subscribe(ada)
    assert (await _generate(world, ada))[0] == 200
    assert world.box.kinds(ada.user_id).count("deletion_requested") == 1  # type: ignore[arg-type]


async def test_once_begun_it_cannot_be_taken_back(world: World) -> None:
    ada = await world.shop.api.person("ada@example.com")
    await world.ask(ada)
    world.execute("UPDATE account_deletions SET started_at = now(), lease_until = now() + interval '1 h'")
    answer = await ada.request("DELETE", PATH)
    assert (answer.status_code, answer.json()["code"]) == (409, "deletion_begun")


async def test_who_was_deleted_is_logged_out_and_may_sign_up_again(world: World) -> None:
    ada = await world.shop.api.person("ada@example.com")
    await world.ask(ada)
    await world.finish()
    world.shop.api.services.identity._trusted.clear()  # five seconds later
    assert (await ada.get("/api/v1/account/summary")).status_code == 401
    body = {"email": "ada@example.com", "password": PASSWORD}
    assert (await ada.post("/api/v1/auth/login", json=body)).status_code == 401
    again = await world.shop.api.person("ada@example.com")
    assert again.user_id != ada.user_id


async def test_who_leads_others_hands_over_first(world: World) -> None:
    database = world.shop.database
    ada, bob = [await world.shop.api.person(f"{name}@example.com") for name in ("ada", "bob")]
    organisations.create(database.owner, "One", "ada@example.com")
    await world.ask(ada)  # alone in it: it goes with her
    await ada.request("DELETE", PATH)
    organisations.add(database.owner, "One", "bob@example.com")
    answer = await ada.post(PATH, json={"password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (409, "organisation_owner")
    assert answer.json()["organisation"] == "One"
    organisations.hand_over(database.owner, "One", "bob@example.com")
    (listed,) = organisations.listed(database.owner)
    assert (listed.owner, listed.members) == ("bob@example.com", ["ada@example.com"])
    await world.ask(ada)
    await world.finish()
    (listed,) = organisations.listed(database.owner)
    assert (listed.owner, listed.members) == ("bob@example.com", [])
    assert world.rows("SELECT user_id, role FROM organisation_members") == [(bob.user_id, "owner")]
    with pytest.raises(SetupError):
        organisations.hand_over(database.owner, "One", "bea@example.com")


async def test_staff_are_refused_while_they_are(world: World) -> None:
    ada = await world.shop.api.person("ada@example.com")
    world.execute("UPDATE users SET role = 'admin'")
    world.shop.api.services.identity._trusted.clear()
    answer = await ada.post(PATH, json={"password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (409, "staff_account")


async def test_pictures_on_a_colleagues_board_go_and_the_colleagues_stay(world: World) -> None:
    ada, bob = await world.person(), await world.person("bob@example.com")
    with psycopg.connect(world.shop.database.url()) as connection:
        connection.execute("SET session_replication_role = replica")  # as if they shared
        for owner, other in ((ada, bob), (bob, ada)):
            connection.execute(
                "UPDATE board_images i SET board_id = b.board_id, board_user_id = b.user_id FROM boards b"
                " WHERE b.user_id = %s AND i.user_id = %s", [owner.user_id, other.user_id],
            )  # fmt: skip
    await world.ask(ada)
    await world.finish()
    assert world.rows("SELECT user_id FROM images") == [(bob.user_id,)]
    assert world.rows("SELECT user_id FROM boards") == [(bob.user_id,)]
    assert world.rows("SELECT * FROM board_images") == []  # Bob's lay on Ada's board


async def test_a_running_job_is_waited_for(world: World, settings: Settings) -> None:
    ada = await world.shop.api.person("ada@example.com")
    assert (await _generate(world, ada))[0] == 200
    async with working(settings, mock_step_seconds=1.5):
        await eventually(lambda: world.rows("SELECT status FROM session_queue") == [("in_progress",)])
        assert (await _generate(world, ada))[0] == 200  # one more, which waits
        await world.ask(ada)
        await world.look(quiet=0.05)
        assert world.rows("SELECT stage FROM account_deletions") == [("stop",)]
        told = world.rows("SELECT cancel_requested FROM session_queue ORDER BY position")
        assert told == [(True,), (False,)]  # the one that waited has just ended
        await eventually(
            lambda: world.rows("SELECT DISTINCT status FROM session_queue") == [("canceled",)], 20
        )
    await world.finish()
    assert world.rows("SELECT count(*) FROM session_queue") == [(0,)]
    assert violations(world.shop.database) == {}


async def test_what_was_on_its_way_has_a_moment_to_end(world: World) -> None:
    ada = await world.shop.api.person("ada@example.com")
    await world.ask(ada)
    await world.look(quiet=60.0)
    ((stage, wait),) = world.rows("SELECT stage, lease_until - now() FROM account_deletions")
    assert stage == "stop" and wait < timedelta(seconds=3)
    world.execute("UPDATE account_deletions SET lease_until = now(), stopped_at = now() - interval '61 s'")
    await world.look(quiet=60.0)
    assert world.rows("SELECT stage FROM account_deletions") == [("tell",)]


async def test_people_without_a_plan_go_by_the_same_way(world: World) -> None:
    ada = await world.person()
    world.execute("DELETE FROM account_lapses")
    await asyncio.to_thread(
        world.shop.stripe.client.v1.subscriptions.cancel, world.shop.subscription(ada)["id"]
    )
    await world.shop.deliver()
    _lapsed(world, ada)
    world.shop.inbox.sweep()
    assert world.rows("SELECT reason FROM account_deletions") == [("lapsed",)]
    await world.finish()
    ((report,),) = world.rows("SELECT report FROM deletion_proofs")
    assert report["reason"] == "lapsed"
    assert world.traces(str(ada.user_id)) == STAYS


def _lapsed(world: World, person: Subject) -> None:
    """As if the plan had ended long ago, and both warnings had gone out."""
    with psycopg.connect(world.shop.database.url()) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE credits SET valid_from = now() - interval '90 days', valid_until = now() - interval '40 days'"
        )
        connection.execute(
            "UPDATE user_subscriptions SET current_period_start = now() - interval '80 days', status = 'canceled',"
            " current_period_end = now() - interval '50 days'"
        )
    world.shop.inbox.sweep()
    for which in (7, 1):
        world.execute(
            "INSERT INTO mail_outbox (user_id, kind, key, data, state, sent_at) SELECT user_id, 'deletion_warning',"
            " id || ':' || %s, '{}', 'sent', now() - interval '8 days' FROM account_lapses WHERE user_id = %s",
            which, person.user_id,
        )  # fmt: skip


@pytest.mark.parametrize("told", [True, False])
async def test_who_pays_at_the_last_moment_is_kept(world: World, told: bool) -> None:
    """Also when we have not heard of it yet: Stripe is asked before anything is deleted."""
    ada = await world.shop.api.person("ada@example.com")
    await world.shop.buy(ada)
    _lapsed(world, ada)
    world.shop.inbox.sweep()
    assert world.rows("SELECT reason FROM account_deletions") == [("lapsed",)]
    url = (await ada.post("/api/v1/billing/subscribe", json={"plan": "starter"})).json()["url"]
    await asyncio.to_thread(world.shop.stripe.fill_in, url)
    if told:
        await world.shop.deliver()
    await world.look()
    assert world.rows("SELECT * FROM account_deletions") == []
    await world.shop.deliver()
    assert (await world.shop.summary(ada))["plan"]["slug"] == "starter"
    assert world.rows("SELECT * FROM account_lapses") == []


async def test_without_stripe_nothing_is_said_of_it(world: World) -> None:
    ada = await world.person()
    await world.ask(ada)
    world.shop.stripe.account.store.remove(world.shop.customer(ada))  # another account than the one it was
    await world.look()
    assert world.rows("SELECT stage FROM account_deletions") == [("stripe",)]
    assert world.rows("SELECT * FROM deletion_proofs") == []
    assert world.rows("SELECT count(*) FROM images") == [(1,)]


class _Killed(BaseException):
    """The process is gone."""


async def test_killed_after_every_step_it_ends_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each effect on the database, the store or Stripe the process dies once, and another goes on."""
    ada, bob = await world.person(), await world.person("bob@example.com")
    await world.ask(ada)
    left = 0

    def dies(function: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            nonlocal left
            answer = function(*given, **named)
            left -= 1
            if left == 0:
                raise _Killed
            return answer

        return call

    for asks in ("_rows", "_row"):
        monkeypatch.setattr(PrivacyRecords, asks, dies(getattr(PrivacyRecords, asks)))
    monkeypatch.setattr(type(world.objects), "delete_sync", dies(type(world.objects).delete_sync))
    customers = type(world.shop.stripe.client.v1.customers)
    monkeypatch.setattr(customers, "delete", dies(customers.delete))
    monkeypatch.setattr(customers, "retrieve", dies(customers.retrieve))
    deaths = steps = 0
    while world.rows("SELECT FROM account_deletions"):
        steps += 1
        left = steps
        world.execute("UPDATE account_deletions SET lease_until = now() WHERE lease_until > now()")
        keeper = world.keeper()
        try:
            await asyncio.to_thread(keeper.look)
        except _Killed:
            deaths += 1
        finally:
            left = 0
            await asyncio.to_thread(keeper.close)
        await asyncio.to_thread(world.mailer.send_due)
        assert steps < 200
    assert deaths > 10
    await world.purge()
    assert world.traces(str(ada.user_id)) == STAYS
    assert world.keys(ada.user_id) == []  # type: ignore[arg-type]
    ((report, finished),) = world.rows("SELECT report, finished_at FROM deletion_proofs")
    assert finished is not None
    assert report["files"] == {"count": 6, "bytes": 55}
    assert (report["rows"]["images"], report["rows"]["models"]) == (1, 2)
    assert report["stripe"]["confirmation"].startswith("req_")
    mails = [mail for mail in world.box.arrived() if "has been deleted" in mail["Subject"]]
    assert len(mails) == 1
    assert world.rows("SELECT count(*) FROM images") == [(1,)]
    assert len(world.keys(bob.user_id)) == 6  # type: ignore[arg-type]


async def test_another_schedulers_word_is_refused(world: World) -> None:
    ada = await world.person()
    await world.ask(ada)
    first, second = (
        PrivacyRecords(world.shop.inbox._settings.database_billing_url.get_secret_value()) for _ in "ab"
    )
    late = first.claim(60)
    assert late is not None and second.claim(60) is None
    world.execute("UPDATE account_deletions SET lease_until = now()")
    current = second.claim(60)
    assert current is not None
    tries: list[Any] = [
        lambda: first.note(late, "stop"),
        lambda: first.stop(_at(late, "stop"), 0),
        lambda: first.erase(_at(late, "records"), "images", 1),
        lambda: first.erase_events(_at(late, "records")),
        lambda: first.pseudonymise(_at(late, "records"), 1),
        lambda: first.tell(_at(late, "tell"), KEPT),
        lambda: first.forget(_at(late, "forget")),
        lambda: second.forget(_at(current, "forget")),  # not its stage
    ]
    for attempt in tries:
        with pytest.raises(Lost):
            attempt()
    assert world.rows("SELECT count(*) FROM images") == [(1,)]
    first.close()
    second.close()


def _at(person: InHand, stage: str) -> InHand:
    return person._replace(stage=stage)


@pytest.mark.parametrize("table", KEPT)
async def test_the_ledger_is_not_erased(world: World, table: str) -> None:
    ada = await world.shop.api.person("ada@example.com")
    await world.ask(ada)
    records = PrivacyRecords(world.shop.inbox._settings.database_billing_url.get_secret_value())
    person = records.claim(60)
    assert person is not None
    person = records.note(person, "records")
    with pytest.raises(psycopg.errors.RestrictViolation):
        records.erase(person, table, 10)
    records.close()


async def test_bookings_of_the_living_stay_as_they_are(world: World) -> None:
    """Texts of the ledger become empty for who is being deleted, and in no other way."""
    ada = await world.person()
    owner = world.shop.database.owner
    for statement in (
        "UPDATE credit_transactions SET description = ''",
        "UPDATE usage_records SET model_used = ''",
        "UPDATE credit_revocations SET description = ''",
        "UPDATE audit_log SET reason = ''",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation), psycopg.connect(owner) as connection:
            connection.execute(statement.encode())
    world.execute(
        "INSERT INTO account_deletions (user_id, reason, delete_at, stage) VALUES (%s, 'asked', now(), 'records')",
        ada.user_id,
    )
    for statement in (
        "UPDATE credit_transactions SET description = 'x'",
        "UPDATE credit_transactions SET description = '', amount = -amount",
        "DELETE FROM credit_transactions",
        "UPDATE usage_records SET model_used = '', credits_consumed = 0",
        "UPDATE audit_log SET reason = '', actor = 'nobody'",
        "DELETE FROM audit_log",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation), psycopg.connect(owner) as connection:
            connection.execute(statement.encode())
    world.execute("UPDATE credit_transactions SET description = ''")
