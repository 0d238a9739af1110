"""What the pages show, page by page, and how they are sent."""

from __future__ import annotations

import re
from uuid import uuid4

import psycopg

from tests.admin.desk import STAFF, Desk
from tests.apps import RunningApi
from tests.factories import make_person
from tests.servers import TestDatabase

PAGES = ("people", "plans", "payments", "jobs", "workers", "webhooks", "audit")


async def test_pages_hold_no_script_and_no_style_and_are_not_kept(desk: Desk, api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    for path in (
        *(f"/admin/{name}" for name in PAGES),
        f"/admin/people/{ada.user_id}",
        "/admin/people?q=nobody-at-all",
    ):
        answer = await desk.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert "form-action 'self'" in policy
        assert "script" not in policy
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", answer.text), path
        assert '<html lang="en">' in answer.text
        ids = re.findall(r'\sid="([^"]+)"', answer.text)
        assert len(ids) == len(set(ids)), (path, sorted(i for i in ids if ids.count(i) > 1))
        labelled = set(re.findall(r'<label for="([^"]+)"', answer.text))
        fields = re.findall(r'<(?:input|select) id="([^"]+)"', answer.text)
        assert set(fields) <= labelled, (path, set(fields) - labelled)


async def test_people_are_found_by_a_part_of_their_address_and_paged(
    database: TestDatabase, desk: Desk
) -> None:
    for number in range(60):
        make_person(database, f"person{number:02}@example.com")
    make_person(database, "100%_sure@example.org", credits=0)
    first = await desk.page("/admin/people?q=PERSON")
    shown = re.findall(r">(person\d\d@example.com)<", first)
    assert len(shown) == 50
    older = re.search(r'href="(/admin/people\?[^"]+)">Older', first)
    assert older is not None
    rest = re.findall(r">(person\d\d@example.com)<", await desk.page(older[1]))
    assert len(set(shown + rest)) == 60
    assert "100%_sure@example.org" in await desk.page("/admin/people?q=100%25_s")
    assert "contains that" in await desk.page("/admin/people?q=%25_%25_%25")


async def test_what_people_call_themselves_is_text(database: TestDatabase, desk: Desk) -> None:
    person = make_person(database, "ada@example.com")
    desk.execute("UPDATE users SET name = %s WHERE id = %s", "<script>alert(1)</script>", person)
    for path in ("/admin/people", f"/admin/people/{person}"):
        assert "<script" not in (await desk.get(path)).text


async def test_a_person_who_is_not_there_is_a_404(desk: Desk) -> None:
    answer = await desk.get(f"/admin/people/{uuid4()}")
    assert answer.status_code == 404
    assert "This person was not found" in answer.text
    assert (await desk.get("/admin/people/nobody")).status_code == 422
    assert (await desk.get("/admin/nothing")).status_code == 404


async def test_what_cannot_be_read_is_refused(api: RunningApi, desk: Desk) -> None:
    ada = await api.person("ada@example.com")
    for query in ("people?q=%00", "people?before=x", "audit?before=-1", "audit?actor=%00", "jobs?state=x"):
        assert (await desk.get(f"/admin/{query}")).status_code == 422, query
    form = {"amount": 10, "days": 10, "key": str(uuid4()), "reason": "abc\0"}
    tester = {"key": str(uuid4()), "reason": "why not"}
    for path, data in (
        ("credits", form),
        ("credits", form | {"reason": "why not", "amount": 10**30}),
        ("tester", tester | {"ends": "9999-12-31"}),
        ("tester", tester | {"ends": "2020-01-01"}),
        ("tester", tester | {"ends": "soon"}),
    ):
        answer = await desk.send(f"/admin/people/{ada.user_id}/{path}", data)
        assert answer.status_code == 422, (data, answer.status_code)


async def test_payments_jobs_workers_and_events_are_listed(
    api: RunningApi, database: TestDatabase, desk: Desk
) -> None:
    ada = await api.person("ada@example.com")
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "INSERT INTO payments (user_id, kind, stripe_invoice_id, amount, currency, status, description, created_at)"
            " VALUES (%s, 'pack', 'in_77', 5, 'usd', 'disputed', '1,000 credits', now())",
            [ada.user_id],
        )
        connection.execute(
            "INSERT INTO gpu_workers (id, tiers, engine) VALUES ('worker-a', '{basic}', 'mock')"
        )
        connection.execute(
            "INSERT INTO gpu_workers (id, tiers, engine, seen_at)"
            " VALUES ('worker-b', '{basic}', 'mock', now() - interval '5 minutes')"
        )
        batch = uuid4()
        connection.execute(
            "INSERT INTO job_batches (user_id, batch_id, graph) VALUES (%s, %s, '{}')", [ada.user_id, batch]
        )
        connection.execute(
            "INSERT INTO session_queue (item_id, user_id, batch_id, session_id, tier, estimate, name_key, status,"
            " error_type, error_message, completed_at, error_traceback, field_values) VALUES (7, %s, %s, %s, 'basic',"
            " 5, 'k', 'failed', 'OutOfMemory', 'not enough memory', now(), 'in a line', %s)",
            [ada.user_id, batch, uuid4(), '{"prompt": "a secret garden"}'],
        )
    for status in ("", "disputed"):
        assert "in_77" in await desk.page(f"/admin/payments?status={status}")
    assert "in_77" not in await desk.page("/admin/payments?status=paid")
    workers = await desk.page("/admin/workers")
    assert re.search(r"worker-a.*?alive.*?worker-b.*?silent", workers, re.DOTALL)
    for path in ("/admin/jobs", f"/admin/people/{ada.user_id}"):
        page = await desk.page(path)
        assert "OutOfMemory: not enough memory" in page
        assert "secret garden" not in page
    assert "OutOfMemory" not in await desk.page("/admin/jobs?state=running")
    assert "<code>7</code>" not in await desk.page("/admin/jobs?state=completed")
    desk.execute("UPDATE session_queue SET status = 'completed', error_type = NULL")
    desk.execute(
        "INSERT INTO usage_records (user_id, job_id, action_type, model_used, gpu_tier, steps, width, height,"
        " batch_size, compute_seconds, credits_consumed, outcome) VALUES (%s, '7', 'generate', 'm', 'basic', 1, 1, 1,"
        " 1, 1, 1, 'completed')",
        ada.user_id,
    )
    assert "<code>7</code>" in await desk.page("/admin/jobs?state=completed")
    assert "in_77" in await desk.page(f"/admin/people/{ada.user_id}")


async def test_the_log_is_filtered(api: RunningApi, database: TestDatabase, desk: Desk) -> None:
    ada = await api.person("ada@example.com")
    form = {"amount": 10, "days": 10, "key": str(uuid4()), "reason": "a birthday"}
    await desk.send(f"/admin/people/{ada.user_id}/credits", form)
    for query in ("", "?action=credits.give", f"?actor={STAFF}", "?about=ADA", "?action=&actor=&about="):
        assert "a birthday" in await desk.page(f"/admin/audit{query}"), query
    for query in ("?action=staff.add", "?actor=operator", "?about=bob", "?before=1"):
        assert "a birthday" not in await desk.page(f"/admin/audit{query}"), query
